"""The methods that make a prompt from a picture."""

from __future__ import annotations

from dataclasses import dataclass

from pez_core import PRESETS, SearchConfig

from .view_kinds import VIEW_KINDS

PAPER, DEFAULT, FAST = PRESETS["paper"], PRESETS["default"], PRESETS["fast"]
STEPS = 500  # of the paper's baselines, at their best rates by quality/optimizers.py
BRIEF = PAPER.replace(steps=STEPS, batch_size=None, weight_decay=0.0)


@dataclass(frozen=True)
class Method:
    """A search. kind: of vocabulary. bank: only words of the names of all concepts. views: the kind
    of views that count beside the picture, one of VIEW_KINDS."""

    config: SearchConfig
    tokens: int = 8
    kind: str = "words"
    bank: bool = False
    views: str | None = None


TABLE_1: dict[str, Method] = {
    "PEZ, paper": Method(PAPER, kind="ascii"),
    "PEZ, 500 steps": Method(BRIEF.replace(lr=0.01)),
    "AutoPrompt-SGD, 500 steps": Method(BRIEF.replace(optimizer="autoprompt_sgd", lr=1.0)),
    "FluentPrompt, 500 steps": Method(BRIEF.replace(optimizer="fluentprompt", lr=1.0)),
    "soft prompt, 500 steps": Method(BRIEF.replace(optimizer="soft", lr=10.0)),
    "fast": Method(FAST),
    "default": Method(DEFAULT),
    "thorough": Method(PRESETS["thorough"]),
    "default, all ASCII": Method(DEFAULT, kind="ascii"),
    "default, bank": Method(DEFAULT, bank=True),
    "default, fluency 0.003": Method(DEFAULT.replace(fluency=0.003)),
    "default, views": Method(DEFAULT, views="smaller and elsewhere"),
    **{f"default, {n} tokens": Method(DEFAULT, tokens=n) for n in (1, 2, 4, 16)},
}

# What the defaults were decided by, on other pictures than those of Table 1.
TRIALS: dict[str, Method] = {
    "default": Method(DEFAULT),
    "fast": Method(FAST),
    **{f"fast, {n} steps": Method(FAST.replace(steps=n)) for n in (10, 40, 100)},
    **{f"fast, {n} restarts": Method(FAST.replace(restarts=n)) for n in (1, 32)},
    "default, 4 swaps": Method(DEFAULT.replace(swaps=4)),
    "default, fluency 0.003": Method(DEFAULT.replace(fluency=0.003)),
    **{f"fast, {kind}": Method(FAST, views=kind) for kind in VIEW_KINDS},
    "default, smaller and elsewhere": Method(DEFAULT, views="smaller and elsewhere"),
}
METHODS = TABLE_1 | TRIALS

# Prompts that no search makes.
TRUE_NAME, TRUE_CAPTION, OTHERS, NOTHING = (
    "true name",
    "true caption",
    "another's prompt",
    "nothing",
)
