"""Running a verb of `pez`: its arguments, its messages, its errors and its exit code."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

from ..compute.threads import wait_passively
from ..errors import ConfigError, PezError
from .output import close_streams, open_streams, write_message
from .parser import Parser, make_parser

VERBS = (
    "invert", "invert-folder", "distill", "style", "mix", "paint", "rank", "evaluate",
    "learn-text", "compare-text", "invert-sentence", "explain", "check", "tokens", "models",
)  # fmt: skip


def run_command(argv: Sequence[str] | None = None) -> int:
    """Runs one verb and returns the exit code. argv: as `main` takes it."""
    given: dict[str, Any] = {}
    open_streams()
    _log_to_stderr()
    try:
        words = list(sys.argv[1:] if argv is None else argv)
        if words[:1] == ["help"]:
            words = [*words[1:2], "--help"]
        verbs = load_verbs([word for word in words[:1] if word in VERBS] or VERBS)
        parser = make_parser(verbs)
        _complete(parser)
        arguments = parser.parse_args(words)
        if arguments.verb is None:
            parser.error("nothing to do: give a VERB, such as invert in `pez invert PICTURE`")
        given = vars(arguments)
        # What imports make is not garbage: fewer looks for it save a tenth of torch's import.
        gc.set_threshold(50_000)
        wait_passively()
        code: int = verbs[arguments.verb].run(arguments)
        return code
    except Exception as error:
        if given.get("debug"):
            raise
        write_message(f"pez: error: {_one_line(error, given)}")
        return 2
    finally:
        close_streams()


class _MessageHandler(logging.Handler):
    """Writes logged warnings as messages."""

    def emit(self, record: logging.LogRecord) -> None:
        write_message(f"pez: {record.getMessage()}")


def _log_to_stderr() -> None:
    """Shows the warnings of this package, and errors of others. The Hugging Face libraries' are
    left out, because errors of this package report the outcome; the libraries' own environment
    variables turn them on again."""
    logging.basicConfig(handlers=[_MessageHandler()], level=logging.ERROR)
    logging.getLogger("pez_core").setLevel(logging.WARNING)
    for library, variable in (
        ("huggingface_hub", "HF_HUB_VERBOSITY"),
        ("transformers", "TRANSFORMERS_VERBOSITY"),
    ):
        logger = logging.getLogger(library)
        logger.propagate = False  # it has its own handler: each message would appear twice
        if variable not in os.environ:
            os.environ[variable] = "error"  # the library reads it when it is imported
            logger.setLevel(logging.ERROR)  # if it has been imported already


def load_verbs(names: Iterable[str] = VERBS) -> dict[str, Any]:
    """The modules of verbs by name."""
    return {name: import_module(f".{name.replace('-', '_')}", __package__) for name in names}


def _complete(parser: Parser) -> None:
    """Answers the Tab key and ends, if a shell asks for that; see docs/options.md."""
    if "_ARGCOMPLETE" in os.environ:
        with suppress(ImportError):
            import argcomplete

            argcomplete.autocomplete(parser)


def _one_line(error: Exception, given: Collection[str]) -> str:
    """The message of an error. given: the names of the arguments."""
    text = " ".join(str(error).split())
    if isinstance(error, ConfigError):  # the name of a setting, as its option has it
        name, must, rest = text.partition(" must ")
        option = name.replace("-", "_") in given
        return f"--{name.replace('_', '-')}{must}{rest}" if option else text
    if isinstance(error, PezError):
        return text
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    scarce = ("out of memory", "allocate memory")  # on a GPU, on a CPU
    if isinstance(error, MemoryError) or any(words in text for words in scarce):
        return (
            "out of memory: use fewer --restarts or --at-once, a smaller --model or --size, or "
            "--dtype float16"
        )
    return f"{type(error).__name__}: {text} (--debug shows where)"
