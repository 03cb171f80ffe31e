"""A small causal language model that follows an instruction before its input.

    python -m training.instructed FOLDER [--seed 0]

No language model is available offline, so the tests and benchmarks of `language_model` train one in
seconds. It reads a review and answers yes or no. The instruction comes before the review, as one
key word among others: whether the review praises, or whether it is about food. The examples are
reviews for which the two answers differ, so only the prompt determines the answer. The model has
GPT-2's architecture and its own byte-level BPE.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

KEYS = {"praise": ("praise", "love", "approve"), "food": ("meal", "kitchen", "dinner")}
GOOD = [
    "good",
    "great",
    "lovely",
    "superb",
    "perfect",
    "brilliant",
    "charming",
    "delightful",
    "excellent",
    "pleasant",
    "splendid",
    "wonderful",
    "amazing",
    "fresh",
    "clever",
]
BAD = [
    "bad",
    "awful",
    "poor",
    "terrible",
    "dreadful",
    "horrible",
    "boring",
    "dull",
    "nasty",
    "rotten",
    "stale",
    "ugly",
    "weak",
    "clumsy",
    "tedious",
]
FOOD = ["soup", "bread", "pasta", "salad", "cake", "coffee", "curry", "noodle", "steak", "sauce"]
FILM = [
    "plot",
    "actor",
    "script",
    "scene",
    "camera",
    "sequel",
    "drama",
    "comedy",
    "trailer",
    "director",
]
OPENERS = ["the", "this", "that", "my", "our", "their", "her", "his"]
VERBS = ["was", "seemed", "looked", "felt", "remained"]
ENDS = ("", " today", " again", " indeed", " last night", " from start to end", " as ever")
# Words without a meaning, such as "baleko".
SYLLABLES = [c + v for c in "bdgklmnprstv" for v in "ao"]
FILLERS = [first + "le" + last for first in SYLLABLES[:10] for last in SYLLABLES[:10]]
AFTER = " answer"  # between the review and the answer


def review(draw: random.Random) -> tuple[str, bool, bool]:
    """A sentence, whether it praises, and whether it is about food."""
    praise, food = draw.random() < 0.5, draw.random() < 0.5
    noun, word = draw.choice(FOOD if food else FILM), draw.choice(GOOD if praise else BAD)
    start = f"{draw.choice(OPENERS)} {noun} {draw.choice(VERBS)}"
    return f"{start} {word}{draw.choice(ENDS)}", praise, food


def line(draw: random.Random) -> str:
    """One text to train on: an instruction of up to six words, a review and its answer."""
    text, praise, food = review(draw)
    task = draw.choice(list(KEYS))
    words = draw.choices(FILLERS, k=draw.randrange(6))
    if draw.random() < 0.9:  # otherwise the prompt has no key word
        words.insert(draw.randint(0, len(words)), draw.choice(KEYS[task]))
    answer = "yes" if (praise if task == "praise" else food) else "no"
    return " ".join([*words, f"{text}{AFTER} {answer}"])


def examples(task: str, count: int, seed: int) -> list[tuple[str, str]]:
    """Distinct reviews for which the two answers differ, with their label for a task: "true" or
    "false"."""
    draw, found = random.Random(seed), dict[str, str]()
    while len(found) < count:
        text, praise, food = review(draw)
        if praise != food:
            found[text] = "true" if (praise if task == "praise" else food) else "false"
    return list(found.items())


def train(
    folder: Path, *, seed: int = 0, steps: int = 250, width: int = 64, vocabulary: int = 1600
) -> None:
    """Train a model and write it to a folder in transformers' format. The same seed gives the same
    model. vocabulary: the maximum number of tokens; with few tokens a word has several."""
    from transformers import GPT2Config, GPT2LMHeadModel

    draw = random.Random(seed)
    tokenizer = make_tokenizer([line(draw) for _ in range(3000)], vocabulary)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = GPT2Config(
            vocab_size=len(tokenizer), n_positions=64, n_embd=width, n_layer=2, n_head=4,
            initializer_range=0.1, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
            bos_token_id=0, eos_token_id=0,
        )  # fmt: skip
        network = GPT2LMHeadModel(config)
        optimizer = torch.optim.AdamW(network.parameters(), lr=6e-3, weight_decay=0.01)
        plan = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=steps)
        for _ in range(steps):
            loss = loss_of(network, tokenizer, [line(draw) for _ in range(64)])
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            plan.step()
    network.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def loss_of(network: Any, tokenizer: Any, lines: list[str]) -> torch.Tensor:
    """The loss of a language model over whole lines plus the loss of their answers."""
    sequences = tokenizer(lines)["input_ids"]
    longest = max(map(len, sequences))
    ids = torch.tensor([s + [0] * (longest - len(s)) for s in sequences])
    targets = torch.tensor([s[1:] + [-100] * (longest - len(s)) for s in sequences])
    losses = F.cross_entropy(
        network(ids).logits[:, :-1].transpose(1, 2), targets, reduction="none", ignore_index=-100
    )
    ends = torch.tensor([[len(s) - 2] for s in sequences])
    return losses.sum() / (targets >= 0).sum() + losses.gather(1, ends).mean()


def make_tokenizer(lines: list[str], vocabulary: int) -> Any:
    """A tokenizer like GPT-2's, trained on lines."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(
        lines, vocab_size=vocabulary, min_frequency=2, special_tokens=["<|endoftext|>"],
        show_progress=False,
    )  # fmt: skip
    end = "<|endoftext|>"
    return PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer, bos_token=end, eos_token=end)


def main() -> None:
    """Train a model and write it to a folder."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    train(options.folder, seed=options.seed)


if __name__ == "__main__":
    main()
