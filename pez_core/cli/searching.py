"""What the verbs with one search share: the call of the search, its progress, Ctrl-C, and its
results on stdout."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..escaping import COMFYUI, escape, unescapable
from ..prompt import LearnedPrompt
from .exit_codes import INTERRUPTED
from .output import write_message, write_result
from .progress import Progress, interruptible
from .request import SearchRequest

if TYPE_CHECKING:
    import torch

    from ..clip.models import ClipModel
    from ..search.progress import Callback, StepInfo

log = logging.getLogger(__name__)


def search_options(
    request: SearchRequest, model: ClipModel, dtype: torch.dtype, inputs: dict[str, Any]
) -> dict[str, Any]:
    """The arguments of `learn_prompt` other than its targets and its template.

    inputs: the first entries of the result's settings, such as the pictures.
    """
    maker = request.avoid.guard_maker()
    mask = request.mask(model.vocabulary, model.source.words)
    settings = {
        **inputs, **request.settings(mask), "device": str(model.device),
        "precision": str(dtype).removeprefix("torch."),
    }  # fmt: skip
    return {
        "config": request.config, "mask": mask, "guard": maker(model) if maker else None,
        "seed": request.seed, "dtype": dtype, "settings": settings,
    }  # fmt: skip


@contextmanager
def watched(seconds: float | None) -> Iterator[Callback]:
    """A callback that shows each step. The first Ctrl-C ends the search and every later one; the
    second Ctrl-C raises KeyboardInterrupt."""
    with Progress(seconds) as progress, interruptible() as interrupted:

        def callback(info: StepInfo) -> bool:
            progress.show(info)
            return not interrupted

        yield callback


def print_result(
    result: LearnedPrompt,
    as_json: bool,
    more: dict[str, Any] | None = None,
    below: str = "",
    program: str | None = None,
) -> int:
    """Prints the candidates, with a summary on stderr, or one JSON object; returns the exit code.

    more: further fields of the object. below: what is printed below the candidates instead.
    program: as for `escaped`.
    """
    if result.best.near:
        log.warning("no prompt was found that keeps away from %s", ", ".join(result.best.near))
    for concept, found in result.best.guard.items():
        if found.says:
            log.warning("the prompt contains words that say %s: %s", concept, ", ".join(found.says))
    if as_json:
        write_result(json.dumps({**result.to_json(program or COMFYUI), **(more or {})}))
        return _exit_code(result)
    if program is not None:
        _warn_of_signs(result, program)
    lines = []
    for candidate in result.candidates:
        each = ", ".join(f"{name} {s:.4f}" for name, s in candidate.similarities.items())
        columns = (
            f"{candidate.similarity:.4f}",
            each and f"({each})",
            "" if candidate.error is None else f"error {candidate.error:.3f}",
            escaped(candidate.text, program),
        )
        lines.append("  ".join(filter(None, columns)))
    if below:
        lines += ["", below]
    write_result("\n".join(lines))
    write_message(
        f"{result.steps} steps in {result.seconds:.1f} s, stopped by {result.stopped}; "
        f"model {result.model}, seed {result.seed}"
    )
    return _exit_code(result)


def escaped(prompt: str, program: str | None) -> str:
    """A prompt, escaped for a program if there is one."""
    return prompt if program is None else escape(prompt, program)


def _warn_of_signs(result: LearnedPrompt, program: str) -> None:
    """Warns of signs that have no escape in a program."""
    found = [unescapable(candidate.text, program) for candidate in result.candidates]
    signs = list(dict.fromkeys(sign for signs in found for sign in signs))
    if signs:
        log.warning(
            "the prompt box of %s has no escape for %s: --ban '*%s*' excludes such words",
            program,
            " ".join(signs),
            signs[0],
        )


def _exit_code(result: LearnedPrompt) -> int:
    return INTERRUPTED if result.stopped == "user" else 0
