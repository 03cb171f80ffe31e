"""The methods that make a prompt from a picture."""

from __future__ import annotations

from dataclasses import dataclass

from pez_core import PRESETS, SearchConfig

PAPER, DEFAULT = PRESETS["paper"], PRESETS["default"]
STEPS = 500  # of the paper's baselines, at their best rates by quality/optimizers.py
BRIEF = PAPER.replace(steps=STEPS, batch_size=None, weight_decay=0.0)


@dataclass(frozen=True)
class Method:
    """A search. kind: of vocabulary. bank: only words of the names of all concepts. views: further
    views of the picture, as in quality/transfer.py."""

    config: SearchConfig
    tokens: int = 8
    kind: str = "words"
    bank: bool = False
    views: int = 0


METHODS: dict[str, Method] = {
    "PEZ, paper": Method(PAPER, kind="ascii"),
    "PEZ, paper, words": Method(PAPER),
    "PEZ, 500 steps": Method(BRIEF.replace(lr=0.01)),
    "AutoPrompt-SGD, 500 steps": Method(BRIEF.replace(optimizer="autoprompt_sgd", lr=1.0)),
    "FluentPrompt, 500 steps": Method(BRIEF.replace(optimizer="fluentprompt", lr=1.0)),
    "soft prompt, 500 steps": Method(BRIEF.replace(optimizer="soft", lr=10.0)),
    "fast": Method(PRESETS["fast"]),
    "default": Method(DEFAULT),
    "thorough": Method(PRESETS["thorough"]),
    "default, all ASCII": Method(DEFAULT, kind="ascii"),
    "default, bank": Method(DEFAULT, bank=True),
    "default, fluency 0.003": Method(DEFAULT.replace(fluency=0.003)),
    "default, fluency 0.01": Method(DEFAULT.replace(fluency=0.01)),
    "default, 16 views": Method(DEFAULT, views=16),
    "fast, 16 views": Method(PRESETS["fast"], views=16),
    **{f"default, {n} tokens": Method(DEFAULT, tokens=n) for n in (1, 2, 4, 16, 32)},
    **{f"fast, {n} tokens": Method(PRESETS["fast"], tokens=n) for n in (1, 2, 4, 16, 32)},
}

# Prompts that no search makes.
TRUE_NAME, TRUE_CAPTION, OTHERS, NOTHING = (
    "true name",
    "true caption",
    "another's prompt",
    "nothing",
)
