"""The settings of one training run, read from a JSON file under configs/."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
"""CLIP's own normalisation, so that any CLIP preprocessing fits the model."""
VOCAB_SIZE = 49408
CONTEXT_LENGTH = 77


@dataclass(frozen=True)
class TrainConfig:
    """All settings that determine the result of a run."""

    seed: int
    steps: int
    embed_dim: int
    vision: dict[str, Any]
    """open_clip's `vision_cfg`."""
    text: dict[str, Any]
    """open_clip's `text_cfg` without vocabulary and context, which are CLIP's."""
    batch: int = 320
    lr: float = 1.5e-3
    warmup: int = 200
    weight_decay: float = 0.1
    distinct_share: float = 0.84
    """Share of a batch with distinct concepts; with a smaller share the names are learned too
    little."""
    token_dropout: float = 0.02
    """Share of caption tokens replaced by the zero row, so that unknown words are neutral."""
    bank_weight: float = 0.5
    """Weight of the loss of naming a picture's concept among the cached names of all concepts."""
    bank_refresh: int = 50
    """Steps between two encodings of all names."""
    hard_names: int = 64
    """For each replica: the number of confused names that are encoded again as negatives."""
    attack_from: float = 0.25
    """Share of the run after which adversarial prompts are added."""
    attack_every: int = 2
    attack_pictures: int = 56
    """For each replica."""
    attack_rounds: int = 3
    replicas: int = 2
    """Processes that share each batch. It affects the result, because each normalises its own
    share."""
    checkpoint_every: int = 500

    def __post_init__(self) -> None:
        if self.checkpoint_every % self.bank_refresh:
            raise ValueError(
                f"checkpoint_every ({self.checkpoint_every}) must be a multiple of bank_refresh "
                f"({self.bank_refresh}), or a resumed run would differ: the bank is not saved"
            )
        if self.batch % self.replicas:
            raise ValueError(f"{self.replicas} replicas cannot share a batch of {self.batch}")

    def model_cfg(self, vocab_size: int = VOCAB_SIZE) -> dict[str, Any]:
        """open_clip's model configuration; training uses a smaller vocabulary."""
        text = {"context_length": CONTEXT_LENGTH, "vocab_size": vocab_size, **self.text}
        return {"embed_dim": self.embed_dim, "vision_cfg": dict(self.vision), "text_cfg": text}


def load_config(path: Path) -> TrainConfig:
    """The configuration in `path`; an unknown or missing field is an error."""
    return TrainConfig(**json.loads(path.read_text(encoding="utf-8")))
