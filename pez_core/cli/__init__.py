"""The command `pez`. Each verb is one file with `add_parser` and `run`. Results go to stdout,
everything else to stderr.

`run` turns the parsed arguments into a frozen dataclass of the verb, by functions that only read
them. Nothing else takes them.
`options` and `text_options` add the options that verbs share, `request` reads them, and
`option_table` writes them into the docs. `searching` and `progress` show a running search.

Exit codes: 0 done; 1 done, but pictures of a folder have errors instead of results, or a checked
text means or says something to avoid; 2 an error, as one line on stderr; 130 ended by Ctrl-C, with
the best prompt so far printed if there is one.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from ..errors import PezError
from ..picture_files.names import ends_like_picture
from ..version import __version__
from .exit_codes import INTERRUPTED
from .printable import make_printable, printable


class _Parser(argparse.ArgumentParser):
    """Reports an error in one line, without the usage."""

    _given: Sequence[str] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        self._given = sys.argv[1:] if args is None else args
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        hint = f"see {self.prog} --help"
        for name in self._given:
            if name.startswith("-") and "=" not in name and ends_like_picture(name):
                hint = f"a file of that name is ./{name}"
        self.exit(2, printable(f"{self.prog}: error: {message} ({hint})") + "\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb and returns the exit code."""
    debug = False
    logging.basicConfig(format="pez: %(message)s", level=logging.ERROR)
    for handler in logging.getLogger().handlers:
        handler.addFilter(make_printable)
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
    except BrokenPipeError:  # the reader of the output has closed it, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if debug:
            raise
        print(f"pez: error: {_one_line(error)}", file=sys.stderr)
        return 2


def _quiet_hub() -> None:
    """Keeps the messages of the Hugging Face libraries away from stderr, because errors of this
    package report the outcome. The libraries' own environment variables turn them on again."""
    for library, variable in (
        ("huggingface_hub", "HF_HUB_VERBOSITY"),
        ("transformers", "TRANSFORMERS_VERBOSITY"),
    ):
        logger = logging.getLogger(library)
        logger.propagate = False  # it has its own handler: each message would appear twice
        if variable not in os.environ:
            os.environ[variable] = "error"  # the library reads it when it is imported
            logger.setLevel(logging.ERROR)  # if it has been imported already


def _verbs() -> dict[str, Any]:
    """The verbs by name. Imported here: torch takes seconds, in which Ctrl-C has to work."""
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
    from .options import add_option

    parser = _Parser(
        prog="pez", description="Learns hard text prompts from pictures.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"pez {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=_Parser)
    for name, verb in modules.items():
        sub = verb.add_parser(verbs, name)
        add_option(sub, "debug", action="store_true")
    return parser


def _one_line(error: Exception) -> str:
    text = printable(" ".join(str(error).split()))
    if isinstance(error, PezError):
        return text
    scarce = ("out of memory", "allocate memory")  # on a GPU, on a CPU
    if isinstance(error, MemoryError) or any(words in text for words in scarce):
        return (
            "out of memory: use fewer --restarts or --at-once, a smaller --model or --dtype float16"
        )
    return f"{type(error).__name__}: {text} (--debug shows where)"
