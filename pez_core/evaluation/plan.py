"""The plan of an evaluation: which methods make prompts, what paints, and what judges."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..batch.results import decisive
from ..errors import ConfigError, VocabularyError
from ..painter.settings import DEMO, PainterSettings
from ..search.methods import read_method
from ..text.line_files import read_lines
from ..text.template import plain_template
from ..text.vocabulary import clip_vocabulary

if TYPE_CHECKING:
    from ..batch.inverter import Job

JUDGE = "ViT-bigG-14:laion2b_s39b_b160k"  # a larger OpenCLIP than the guide; paper §4.1: "ViT/G"
_DEMO_JUDGE = Path(__file__).parents[2] / "benchmarks" / "judge"  # in a clone of the repository
# The settings of a method besides its optimizer. allow: a file of words, the paper's bank. choice:
# PAINTER, if the painter chooses among the candidates.
READERS: Mapping[str, Callable[[str], Any]] = {
    "tokens": int, "steps": int, "restarts": int, "refine": int, "rounds": int, "lr": float,
    "weight_decay": float, "fluency": float, "allow": str, "choice": str,
}  # fmt: skip
PAINTER = "painter"
MOST_CHARACTERS = 200  # of a method; file systems allow 255 in the name of a file


@dataclass(frozen=True)
class Plan:
    """An evaluation: the pictures of a folder, the methods that make their prompts, and the judge.

    job: the guide CLIP and the search. optimizers: names, each optionally followed by its own
    settings (`search.methods.read_method`, READERS). captions: the prompts of other methods, by
    method and picture. judge: a model name, as for `load_model`.
    The methods are the optimizers and then those of the captions. The others are compared with the
    first.
    Raises ConfigError without a method, and for an invalid one.
    """

    pictures: Path
    job: Job = field(repr=False)
    optimizers: tuple[str, ...] = ("pez",)
    captions: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    painter: PainterSettings = PainterSettings()
    judge: str = JUDGE

    def __post_init__(self) -> None:
        for optimizer in self.optimizers:
            self.job_of(optimizer)
            if len(optimizer) > MOST_CHARACTERS:
                raise ConfigError(
                    f"the method {optimizer[:60]!r}… names files of the results, but it has more "
                    f"than {MOST_CHARACTERS} characters: leave out some settings"
                )
        if not self.methods:
            raise ConfigError("nothing to evaluate: name an optimizer, or give captions")
        twice = [m for m in self.methods if [n.lower() for n in self.methods].count(m.lower()) > 1]
        if twice:  # methods name files, and some file systems ignore case
            raise ConfigError(
                f"{twice[0]!r} names two methods: give the captions of one of them another name"
            )

    @property
    def methods(self) -> tuple[str, ...]:
        return (*self.optimizers, *self.captions)

    def job_of(self, method: str) -> Job:
        """The job of one of the `optimizers`. Raises ConfigError for invalid settings, and
        VocabularyError for an unusable bank."""
        optimizer, settings = read_method(method, READERS)
        tokens, bank = settings.pop("tokens", None), settings.pop("allow", None)
        if settings.pop("choice", PAINTER) != PAINTER:
            raise ConfigError(f"{method!r}: choice must be {PAINTER}")
        job = replace(self.job, config=self.job.config.replace(optimizer=optimizer, **settings))
        if tokens is not None:
            job = replace(job, template=plain_template(tokens))
        if bank is not None:
            if Path(bank).name != bank:
                raise ConfigError(
                    f"{method!r} names files of the results: go to the folder of {bank} and give "
                    "only its name"
                )
            mask = job.mask.within(clip_vocabulary(), read_lines(bank, VocabularyError))
            job = replace(job, mask=mask, settings={**job.settings, **mask.settings})
        return job

    def is_chosen(self, method: str) -> bool:
        """Whether the painter chooses a method's prompts among the candidates of its search."""
        return method in self.optimizers and "choice" in read_method(method, READERS)[1]

    def prompted(self, method: str) -> dict[str, Any]:
        """The inputs that determine a method's prompts, as `batch.results.decisive` returns
        them."""
        if method in self.optimizers:
            return self.job_of(method).decisive()
        return decisive({"model": self.job.model, "seed": 0, "settings": {"captions": method}})

    def painted(self) -> dict[str, Any]:
        """The same for the painted pictures."""
        return decisive(self.painting)

    def judged(self) -> dict[str, Any]:
        """The same for the results."""
        return decisive(self.judging)

    @property
    def painting(self) -> dict[str, Any]:
        """`model`, `seed` and `settings` of a line of painted pictures."""
        painter = self.painter
        return {
            "model": painter.painter, "seed": self.job.seed, "settings": painter.to_json(),
        }  # fmt: skip

    @property
    def judging(self) -> dict[str, Any]:
        """The same entries of a result. Its model is the guide."""
        settings = {"pipeline": self.painter.painter, **self.painter.to_json()}
        return {
            "model": self.job.model,
            "seed": self.job.seed,
            "settings": {**settings, "judge": self.judge},
        }


def judge_of(guide: str) -> str:
    """The default judge for a guide. For the embedded model it is the small CLIP of the
    benchmarks, if that is there."""
    return str(_DEMO_JUDGE) if guide == DEMO and _DEMO_JUDGE.is_dir() else JUDGE


def noise_seed(seed: int, picture: str, image: int) -> int:
    """The seed of an image's noise. It depends only on the seed, the picture and the image's
    number, so that methods are compared on the same noise, whatever else the folder holds."""
    # 48 bits: every JSON reader keeps such a number exactly.
    named = f"{seed} {image} {picture}".encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.sha256(named).digest()[:6], "big")
