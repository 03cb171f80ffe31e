"""Draws example pictures with the tokens learned from them, in two shades.

    python -m benchmarks.figure learned.png watermelon penguin ...

The shades mark the borders of tokens, as in the paper's Figure 1.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

from pez_core import LearnedPrompt, learn_prompt, load_model, make_targets, open_picture
from pez_core.clip.models import ClipModel

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402

EXAMPLES = Path(__file__).parent.parent / "examples"
SHADES = ("#d9d9d9", "#b3b3b3")
LINE = 0.145  # height of a line of chips, in parts of the axes
WIDTH = 1.0


def learn(model: ClipModel, name: str) -> LearnedPrompt:
    picture = open_picture(EXAMPLES / f"{name}.png")
    return learn_prompt(model, make_targets(model.encode_pictures([picture])))


def draw(axes: Axes, result: LearnedPrompt, words: list[str]) -> None:
    """Draw the words as wrapped chips, with the similarity below them."""
    axes.set(xlim=(0, WIDTH), ylim=(0, 1))
    left, top = 0.0, 0.86
    renderer = axes.figure.canvas.get_renderer()
    for number, word in enumerate(words):
        box = {"boxstyle": "square,pad=0.25", "facecolor": SHADES[number % 2], "edgecolor": "none"}
        text = axes.text(left, top, word, fontsize=11, family="DejaVu Sans Mono", bbox=box)
        extent = text.get_window_extent(renderer).transformed(axes.transData.inverted())
        if extent.x1 > WIDTH and left > 0:
            left, top = 0.0, top - LINE
            text.set_position((left, top))
        left += extent.width + 0.035
    axes.text(
        0, top - LINE, f"similarity {result.best.similarity:.3f}", fontsize=9, color="#555555"
    )


def main() -> None:
    """Learn the prompts with the default settings and draw them."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("names", nargs="+")
    options = parser.parse_args()
    model = load_model("demo")
    rows = (len(options.names) + 1) // 2
    figure, grid = pyplot.subplots(
        rows,
        4,
        figsize=(11, 1.9 * rows),
        width_ratios=[1, 2, 1, 2],
        squeeze=False,
        layout="constrained",
    )
    cells = grid.reshape(-1, 2)
    for axes in grid.flat:
        axes.axis("off")
    figure.canvas.draw()  # settles the layout, so that the widths of words can be measured
    for (picture, words), name in zip(cells, options.names, strict=False):
        result = learn(model, name)
        picture.imshow(open_picture(EXAMPLES / f"{name}.png"))
        draw(words, result, [t.text for t in model.vocabulary.tokens(result.best.ids)])
        print(f"{name}: {result.best.text} ({result.best.similarity:.4f})")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(options.out, dpi=110)


if __name__ == "__main__":
    main()
