"""The parser of the command line: an error in one line, with the nearest right spelling."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from ..picture_files.names import ends_like_picture
from ..version import __version__
from .options import add_option
from .output import write_message, write_result


class Parser(argparse.ArgumentParser):
    """Reports an error in one line, without the usage, and writes as the verbs do."""

    _given: Sequence[str] = ()

    def error(self, message: str) -> NoReturn:
        files = [w for w in self._given if w[:1] == "-" and "=" not in w and ends_like_picture(w)]
        hint = f"a file of that name is ./{files[0]}" if files else f"see {self.prog} --help"
        write_message(f"{self.prog}: error: {message} ({hint})")
        self.exit(2)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Refuses what is left over here: the parser of the verb knows its own options."""
        self._given = args or ()
        found, left = super().parse_known_args(args, namespace)
        if left:
            near = [_nearest(word, self._option_string_actions) for word in left]
            after = "; options come after VERB" if self._subparsers else ""
            more = next(filter(None, near), after)
            self.error(f"unrecognized arguments: {' '.join(left)}{more}")
        return found, left

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            choices = [str(choice) for choice in action.choices]
            raise argparse.ArgumentError(
                action,
                f"invalid choice: {value!r}{_nearest(str(value), choices)} (choose from "
                f"{', '.join(choices)})",
            )

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        # Python 3.10 to 3.12 takes the value of `--text=--` for a mark and drops it.
        if action.option_strings and action.nargs is None and arg_strings == ["--"]:
            return self._get_value(action, "--")
        return super()._get_values(action, arg_strings)

    def _print_message(self, message: str, file: Any = None) -> None:
        write_result(message.removesuffix("\n"))  # help and version: errors come to `error`


def _nearest(word: str, known: Iterable[str]) -> str:
    """The question whether another word was meant; empty if none is near."""
    near = get_close_matches(word.partition("=")[0], known, n=1)
    return f", did you mean {near[0]}?" if near else ""


def make_parser(verbs: dict[str, Any]) -> Parser:
    """The parser of the command. verbs: the modules of the verbs by name."""
    parser = Parser(
        prog="pez",
        description="Learns hard text prompts from pictures.",
        epilog="`pez help VERB` describes a verb.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"pez {__version__}")
    subparsers = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=Parser)
    for name, verb in verbs.items():
        add_option(verb.add_parser(subparsers, name), "debug", action="store_true")
    return parser
