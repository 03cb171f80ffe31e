"""How often texts are reported as too near to a concept, correctly and falsely: a table of
`benchmarks.guarding.guard`.

False reports are of neutral prompts that no guard used, of captions of the other pictures, and of
prompts learned freely of those. Correct reports are of captions of the concept in six forms, and of
the picture's tags without the word. There is a column for each shrinkage of the neutral space
(`guard.neutral`), of which 0.3 is the guard's, and one for the plain cosine, all calibrated alike.
The concepts and the new forms were not used to choose 0.3; the first forms were.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from pez_core import make_guard
from pez_core.clip.models import ClipModel
from pez_core.guard.guard import FALSE_POSITIVE_RATE
from pez_core.guard.neutral import SHRINKAGE, neutral_prompts, neutral_space
from pez_core.text.vocabulary import clip_vocabulary
from training.neutral import sample_captions
from training.reserved_set import ReservedSet

from ..measure import markdown, paired_bootstrap

CORRECTLY = (
    "captions of the concept, new forms", "captions of the concept, first forms",
    "its tags, without the word",
)  # fmt: skip
FRESH, FRESH_SEED = 1000, 1  # neutral prompts of another seed
SHRINKAGES = (0.03, SHRINKAGE, 3.0)
NEW_FORMS = (
    "the {} at night", "a drawing of the {}, black and white", "one large {} between two houses",
    "a man holding a {}", "blue and green {} icon", "i like this {}",
)  # fmt: skip
FIRST_FORMS = (
    "a photo of a {}", "an emoji of a {} on a red background", "a small {} beside a tree",
    "a cartoon {}, flat style", "a woman with a {}, line drawing", "a {} and a fork",
)  # fmt: skip


Near = Callable[[Sequence[str]], np.ndarray]  # N texts → (N, C): whether each is too near


def deciders(models: dict[str, ClipModel], concepts: Sequence[str]) -> dict[str, Near]:
    """The deciders, all calibrated on the same prompts: cosines in neutral spaces of several
    shrinkages, one of which is the guard's, and plain cosines."""
    found: dict[str, Near] = {}
    for who, model in models.items():
        spread = model.encode_texts(neutral_prompts()[::2])
        found[f"{who}, plain"] = decider(model, concepts, Tensor.clone)
        for shrinkage in SHRINKAGES:
            unit = neutral_space(spread, shrinkage).unit
            found[f"{who} {shrinkage:g}"] = decider(model, concepts, unit)
    return found


def decider(model: ClipModel, concepts: Sequence[str], unit: Callable[[Tensor], Tensor]) -> Near:
    """A decider by cosines of features that `unit` has transformed."""
    named = unit(model.encode_texts(concepts))

    def cosines(texts: Sequence[str]) -> Tensor:
        return unit(model.encode_texts(texts)) @ named.T

    calibration = cosines(neutral_prompts()[1::2])
    rank = int((len(calibration) + 1) * FALSE_POSITIVE_RATE)
    limits = calibration.topk(rank, dim=0).values[-1]
    return lambda texts: (cosines(texts) > limits).numpy()


def checks(
    models: dict[str, ClipModel], reserved: ReservedSet, chosen: list[int], learned: list[str]
) -> dict[str, dict[str, np.ndarray]]:
    """The rates at which texts are reported as near, by decider and kind of text, one for each
    concept. chosen: the pictures whose names are the concepts. learned: a free prompt of each."""
    names = reserved.names
    concepts = [names[i] for i in chosen]
    fresh = fresh_prompts()
    # Which concepts each text is about.
    captions = np.array([[concept in name.split() for concept in concepts] for name in names])
    tags = [[t for t in reserved.tags[i] if names[i] not in t] for i in chosen]
    tagged = [row for row, some in enumerate(tags) if some]
    itself = np.eye(len(concepts), dtype=bool)
    found: dict[str, dict[str, np.ndarray]] = {}
    for who, near in deciders(models, concepts).items():

        def rates(texts: list[str], counted: np.ndarray, near: Near = near) -> np.ndarray:
            return (near(texts) & counted).sum(axis=0) / counted.sum(axis=0)

        def hits(forms: Sequence[str], near: Near = near) -> np.ndarray:
            return np.mean([near([f.format(c) for c in concepts])[itself] for f in forms], axis=0)

        found[who] = {
            "fresh neutral prompts": near(fresh).mean(axis=0),
            "captions of other pictures": rates([f"an emoji of a {n}" for n in names], ~captions),
            "learned of other pictures": rates(learned, ~itself),
            CORRECTLY[0]: hits(NEW_FORMS),
            CORRECTLY[1]: hits(FIRST_FORMS),
            CORRECTLY[2]: near([" ".join(tags[row]) for row in tagged])[range(len(tagged)), tagged],
        }
    return found


def fresh_prompts() -> list[str]:
    """Neutral prompts that no guard used."""
    seen = set(neutral_prompts())
    drawn = sample_captions(clip_vocabulary(), FRESH, FRESH_SEED)
    return [text for text in drawn if text not in seen]


def alarms(model: ClipModel, names: Sequence[str]) -> list[str]:
    """How much the words of a guard add to its false alarms, for names of one word and of
    several."""
    fresh, lines = fresh_prompts(), []
    for kind in ("one word", "several words"):
        some = [name for name in names if (len(name.split()) == 1) == (kind == "one word")]
        guard = make_guard(model, some)
        near = guard.near(model.encode_texts(fresh)).numpy()  # (N, C)
        said = np.array([[name in guard.says(text) for name in guard.names] for text in fresh])
        count = np.array([len(guard.words[name]) for name in guard.names])
        lines.append(
            f"{len(count)} concepts of {kind}, {count.mean():.1f} words each, {(count == 0).sum()} "
            f"with none: fresh neutral prompts near {interval(near.mean(axis=0), '.1%')}, near or "
            f"saying a word {interval((near | said).mean(axis=0), '.1%')}"
        )
    return lines


def checked(found: dict[str, dict[str, np.ndarray]]) -> list[str]:
    """The table of the checks."""
    rows = [
        [what, *(interval(rates[what].astype(float), ".1%") for rates in found.values())]
        for what in next(iter(found.values()))
    ]
    lines = [*markdown(["called near", *found], rows), ""]
    for who, rates in found.items():
        model = who.split()[0].rstrip(",")
        guard = found[f"{model} {SHRINKAGE:g}"]
        change = [interval(guard[what] - 1.0 * rates[what], "+.1%") for what in CORRECTLY]
        if rates is not guard:
            parts = (f"{what} {one}" for what, one in zip(CORRECTLY, change, strict=True))
            lines.append(f"{model} {SHRINKAGE:g}, difference from {who}: {', '.join(parts)}")
    return lines


def interval(values: np.ndarray, form: str) -> str:
    """The mean and its 95 % interval, resampling the values."""
    mean, low, high = paired_bootstrap(values)
    return f"{mean:{form}} ({low:{form}} to {high:{form}})"
