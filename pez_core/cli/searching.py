"""What the verbs with one search share: the model and precision asked for, the search that is shown
and that Ctrl-C ends, and its results on stdout."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ..clip.models import ClipModel, load_model
from ..compute.devices import find_device, find_dtype
from ..config import SearchConfig
from ..prompt import LearnedPrompt
from ..search.progress import Callback
from ..search.searcher import StepInfo
from .avoid import guard_maker
from .exit_codes import INTERRUPTED
from .options import asked_settings, search_mask
from .progress import Progress, interruptible

log = logging.getLogger(__name__)


def open_model(arguments: argparse.Namespace) -> tuple[ClipModel, torch.dtype]:
    """The model on its device, and the precision to search in."""
    device = find_device(arguments.device)
    dtype = find_dtype(arguments.dtype, device)
    as_stored = dtype != torch.float32
    model = load_model(arguments.model, device, tower=arguments.tower, as_stored=as_stored)
    return model, dtype


def search_options(
    arguments: argparse.Namespace,
    model: ClipModel,
    dtype: torch.dtype,
    config: SearchConfig,
    asked: dict[str, Any],
) -> dict[str, Any]:
    """What `learn_prompt` is given beside its targets and its template.

    asked: what the settings of the result tell first, such as the pictures.
    """
    maker = guard_maker(arguments)
    mask = search_mask(arguments, model.vocabulary, model.source.words)
    settings = {
        **asked, **asked_settings(arguments, mask), "device": str(model.device),
        "precision": str(dtype).removeprefix("torch."),
    }  # fmt: skip
    return {
        "config": config, "mask": mask, "guard": maker(model) if maker else None,
        "seed": arguments.seed, "dtype": dtype, "settings": settings,
    }  # fmt: skip


@contextmanager
def watched(seconds: float | None) -> Iterator[Callback]:
    """A callback that shows each step, and ends the search at the first Ctrl-C and every later
    one at once; the second Ctrl-C breaks off."""
    with Progress(seconds) as progress, interruptible() as interrupted:

        def callback(info: StepInfo) -> bool:
            progress.show(info)
            return not interrupted

        yield callback


def print_result(
    result: LearnedPrompt, as_json: bool, more: dict[str, Any] | None = None, below: str = ""
) -> int:
    """Prints the candidates, and how it went on stderr, or one JSON object; gives the exit code.

    more: further fields of the object. below: what stands for them below the candidates.
    """
    if result.best.near:
        log.warning("no prompt was found that keeps away from %s", ", ".join(result.best.near))
    for concept, found in result.best.guard.items():
        if found.says:
            log.warning("the words given say %s outright: %s", concept, ", ".join(found.says))
    if as_json:
        print(json.dumps({**result.to_json(), **(more or {})}))
        return _exit_code(result)
    for candidate in result.candidates:
        each = ", ".join(f"{name} {s:.4f}" for name, s in candidate.similarities.items())
        columns = (f"{candidate.similarity:.4f}", each and f"({each})", candidate.text)
        print(*filter(None, columns), sep="  ")
    if below:
        print(f"\n{below}")
    print(
        f"{result.steps} steps in {result.seconds:.1f} s, stopped by {result.stopped}; "
        f"model {result.model}, seed {result.seed}",
        file=sys.stderr,
    )
    return _exit_code(result)


def _exit_code(result: LearnedPrompt) -> int:
    return INTERRUPTED if result.stopped == "user" else 0
