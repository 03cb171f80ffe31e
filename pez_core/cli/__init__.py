"""The command `pez`. Each verb is one file with `add_parser` and `run`; results go to stdout, all
else to stderr.

Exit codes: 0 done; 1 done, but pictures of a folder have errors instead of results, or a text that
was checked is too near to what it should keep away from; 130 ended by Ctrl-C, with the best so far
printed where there is one; 2 an error, told in one line.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from ..errors import PezError
from ..version import __version__
from .exit_codes import INTERRUPTED


class _Parser(argparse.ArgumentParser):
    """Tells an error in one line instead of repeating the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb and returns the exit code."""
    debug = False
    logging.basicConfig(format="pez: %(message)s", level=logging.ERROR)
    logging.getLogger("pez_core").setLevel(logging.WARNING)
    _quiet_hub()
    try:
        verbs = _verbs()
        arguments = _parser(verbs).parse_args(argv)
        debug = arguments.debug
        code: int = verbs[arguments.verb].run(arguments)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("pez: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if debug:
            raise
        print(f"pez: error: {_one_line(error)}", file=sys.stderr)
        return 2


def _quiet_hub() -> None:
    """Keeps the retries and reports of the Hugging Face libraries from stderr, as what comes of
    them is told by an error of ours; they speak where their own variables ask for it."""
    for library, variable in (
        ("huggingface_hub", "HF_HUB_VERBOSITY"),
        ("transformers", "TRANSFORMERS_VERBOSITY"),
    ):
        logger = logging.getLogger(library)
        logger.propagate = False  # it has a handler of its own, so all would be told twice
        if variable not in os.environ:
            os.environ[variable] = "error"  # read when it is imported
            logger.setLevel(logging.ERROR)  # where it has been


def _verbs() -> dict[str, Any]:
    """The verbs by name; imported here, as torch takes seconds in which Ctrl-C may be pressed."""
    from . import (
        check,
        compare_text,
        distill,
        evaluate,
        explain,
        invert,
        invert_folder,
        invert_sentence,
        learn_text,
        mix,
        models,
        style,
        tokens,
    )

    return {
        "invert": invert,
        "invert-folder": invert_folder,
        "distill": distill,
        "style": style,
        "mix": mix,
        "evaluate": evaluate,
        "learn-text": learn_text,
        "compare-text": compare_text,
        "invert-sentence": invert_sentence,
        "explain": explain,
        "check": check,
        "tokens": tokens,
        "models": models,
    }


def _parser(modules: dict[str, Any]) -> _Parser:
    parser = _Parser(
        prog="pez", description="Learns hard text prompts from pictures.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"pez {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=_Parser)
    for name, verb in modules.items():
        sub = verb.add_parser(verbs, name)
        sub.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, PezError):
        return text
    scarce = ("out of memory", "allocate memory")  # of a GPU, of a CPU
    if isinstance(error, MemoryError) or any(words in text for words in scarce):
        return (
            "out of memory: use fewer --restarts or --at-once, a smaller --model or --dtype float16"
        )
    return f"{type(error).__name__}: {text} (--debug shows where)"
