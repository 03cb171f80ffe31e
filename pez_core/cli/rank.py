"""`pez rank PICTURE --prompt TEXT`: which prompt describes a picture best, by a painter."""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from ..compute.devices import DEVICES
from ..errors import ConfigError, PezError, printable
from ..painter.settings import (
    DEMO,
    LEAST_LEVELS,
    LEVELS,
    MOST_LEVELS,
    ROUNDS,
    PainterSettings,
    own_settings,
)  # fmt: skip
from ..prompt import SCHEMA
from ..text.line_files import read_lines
from .exit_codes import INTERRUPTED
from .named import open_named
from .options import add_option
from .output import write_result
from .painter_options import add_painter_option, add_size_and_dtype
from .progress import Progress, interruptible

if TYPE_CHECKING:
    from ..painter.improving import Improvement
    from ..painter.ranking import PictureErrors, Ranking

log = logging.getLogger(__name__)

_ABOUT = """
Ranks prompts by a painter: the better a prompt describes the picture, the better the painter
denoises the picture under it. Nothing is painted, and any text-to-image model of diffusers will do,
whatever its text encoder. The error is a share of that without words: below 1 the words help. Every
round adds a noise, the same for all prompts, and a prompt that is surely behind leaves the race.
Ctrl-C ends it with the ranking so far. With --edits the painter goes on: it swaps, adds or leaves
out single words of the best prompt, with words of the others, as long as that is surely better.
"""


@dataclass(frozen=True)
class RankRequest:
    """levels: of noise, in a round. seconds: no round begins after so many. edits: of the best
    prompt, at most."""

    picture: str
    prompts: list[str]
    painter: PainterSettings
    levels: int
    rounds: int
    seconds: float | None
    edits: int
    seed: int
    device: str
    as_json: bool


def add_parser(verbs: Any, name: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        allow_abbrev=False,
        help="rank prompts by how well a painter denoises a picture with them",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("picture", metavar="PICTURE", help="the picture that the prompts describe")
    add("--prompt", action="append", default=[], metavar="TEXT", help="a prompt; repeat it")
    add("--prompts", metavar="FILE", help="a file with a prompt on each line; # starts a comment")
    add_painter_option(parser)
    add(
        "--rounds",
        type=int,
        default=ROUNDS,
        metavar="N",
        help="how many noises at most (default: %(default)s)",
    )
    add(
        "--levels",
        type=int,
        default=LEVELS,
        metavar="N",
        help="how many levels of each noise: each is a pass of the denoiser for each prompt "
        "(default: %(default)s)",
    )
    add_size_and_dtype(parser)
    add_option(parser, "seconds", type=float, metavar="S")
    add(
        "--edits",
        type=int,
        default=0,
        metavar="N",
        help="how many edits of the best prompt to take, with words of the others or without some "
        "of its own (default: none)",
    )
    add("--seed", type=int, default=0, help="of the noises (default: %(default)s)")
    add_option(parser, "device", choices=DEVICES, default="auto")
    add_option(parser, "json", action="store_true")
    return parser


def run(arguments: argparse.Namespace) -> int:
    prompts = list(arguments.prompt)
    if arguments.prompts is not None:
        prompts += read_lines(arguments.prompts, ConfigError, "prompt")
    prompts = list(dict.fromkeys(prompts))
    if not prompts:
        raise ConfigError("nothing to rank: give --prompt TEXT, once for each, or --prompts FILE")
    if not LEAST_LEVELS <= arguments.levels <= MOST_LEVELS:
        raise ConfigError(
            f"--levels must be from {LEAST_LEVELS} to {MOST_LEVELS}, got {arguments.levels}"
        )
    if arguments.rounds < 1:
        raise ConfigError(f"--rounds must be at least 1, got {arguments.rounds}")
    if arguments.seconds is not None and not arguments.seconds > 0:
        raise ConfigError(f"--seconds must be more than 0, got {arguments.seconds:g}")
    if arguments.edits < 0:
        raise ConfigError(f"--edits must be at least 0, got {arguments.edits}")
    painter = replace(
        own_settings(DEMO if arguments.painter is None else arguments.painter),
        size=arguments.size,
        dtype=arguments.diffusion_dtype,
    )
    painter.noise_seeds(arguments.seed)  # raises if it is out of range
    return _rank(
        RankRequest(
            arguments.picture,
            prompts,
            painter,
            arguments.levels,
            arguments.rounds,
            arguments.seconds,
            arguments.edits,
            arguments.seed,
            arguments.device,
            arguments.json,
        )
    )


def _rank(request: RankRequest) -> int:
    from ..compute.devices import find_device
    from ..painter.denoising import PipelineErrors
    from ..painter.pipeline import Painter
    from ..painter.ranking import rank

    picture = open_named(request.picture)
    with Progress(None) as bar:
        bar.say(0.0, 0.0, "loading the painter")
        painter = Painter(request.painter, find_device(request.device))
    cut = sum(count > read for count, read in map(painter.tokens_read, request.prompts))
    if cut:
        log.warning("the painter does not read %d of the prompts to the end", cut)
    latest: Ranking | None = None
    editing = False
    with interruptible() as pressed, Progress(request.seconds) as bar:

        def check_interrupt() -> None:
            if pressed and not editing:
                raise KeyboardInterrupt

        def show(found: Ranking) -> None:
            nonlocal latest
            latest = found
            bar.show_ranking(found, request.rounds)

        errors = PipelineErrors(painter, picture, request.seed, request.levels, check_interrupt)
        try:
            found = rank(errors, request.prompts, request.rounds, request.seconds, show)
        except KeyboardInterrupt:  # in the middle of a round, which may be long
            if latest is None:
                raise
            found = replace(latest, reason="stopped")
        edited = None
        if request.edits and found.reason not in ("seconds", "stopped"):
            editing = True  # a Ctrl-C then ends it after a round, with the edits taken so far
            try:
                edited = _edited(errors, request, found, bar, pressed)
            except PezError as error:  # the ranking is not lost
                log.warning("no edit: %s", error)
    if request.as_json:
        write_result(json.dumps(_to_json(request, painter, found, edited)))
    else:
        write_result("\n".join([_table(found), *_edit_lines(edited)]))
    stopped = "stopped" in (found.reason, edited and edited.reason)
    return INTERRUPTED if stopped else 0


def _edited(
    errors: PictureErrors, request: RankRequest, found: Ranking, bar: Progress, pressed: list[bool]
) -> Improvement:
    """The best prompt after its edits."""
    import torch

    from ..applications.word_edits import borrowed_edits
    from ..painter.improving import improve

    prompts = [ranked.prompt for ranked in found.prompts]
    generator = torch.Generator().manual_seed(request.seed)

    def propose(text: str) -> list[str]:
        return borrowed_edits(text, prompts, generator)

    def show(ranking: Ranking, taken: int) -> bool:
        bar.show_ranking(ranking, request.rounds, f"edit {taken + 1} of {request.edits}")
        return not pressed

    left = None if request.seconds is None else max(request.seconds - found.seconds, 1e-9)
    return improve(errors, prompts[0], propose, request.edits, request.rounds, left, show)


def _edit_lines(edited: Improvement | None) -> list[str]:
    """The edits for people to read."""
    if edited is None:
        return []
    lines = [f"{edit.error:6.3f}  before it {edit.before:.3f}     {printable(edit.prompt)}"
             for edit in edited.edits]  # fmt: skip
    if lines:
        return ["", "edits of the first, under other noises than above:", *lines]
    if edited.reason == "no better edit":
        return ["", "no edit of the first is surely better"]
    return ["", f"no edit of the first was taken before it ended ({edited.reason})"]


def _to_json(
    request: RankRequest, painter: Any, found: Ranking, edited: Improvement | None
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "ranking": [asdict(ranked) for ranked in found.prompts],
        "tied": found.tied,
        "passes": found.passes,
        "rounds": found.rounds,
        "reason": found.reason,
        **({} if edited is None else {"edited": asdict(edited)}),
        "seconds": found.seconds,
        "painter": painter.about,
        "seed": request.seed,
        "settings": {
            "levels": request.levels, "rounds": request.rounds, "size": request.painter.size,
            "device": str(painter.device), "precision": painter.precision,
        },
    }  # fmt: skip


def _table(found: Ranking) -> str:
    best = found.prompts[0].error
    lines = [f"{'error':>6}  {'behind the best':18}  prompt"]
    for ranked in found.prompts:
        behind = f"{ranked.low - best:+.3f} to {ranked.high - best:+.3f}"
        shown = "" if ranked is found.prompts[0] else behind
        prompt = printable(ranked.prompt) or "(no words)"
        lines.append(f"{ranked.error:6.3f}  {shown:18}  {prompt}")
    why = {"seconds": ", when the time was up", "stopped": ", when it was stopped"}
    known = f"{found.certainty} after {found.passes} passes{why.get(found.reason, '')}"
    lines += ["", known]
    if best >= 1 and found.prompts[0].prompt:
        lines.append("none of them helps: without words the error is 1")
    return "\n".join(lines)
