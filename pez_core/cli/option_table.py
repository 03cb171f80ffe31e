"""The table of options in docs/options.md.

python -m pez_core.cli.option_table                           prints it
python -m pez_core.cli.option_table --write docs/options.md   writes it between its marks
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from ..config import sentence
from ..options import OPTIONS
from . import invert
from .options import shown_default
from .parser import make_parser

BEGIN, END = "<!-- options:begin -->\n", "<!-- options:end -->\n"


def table() -> str:
    """A row for each option of `pez invert`, in the order of its help."""
    parser = make_parser({"invert": invert})
    (verbs,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    actions = verbs.choices["invert"]._actions
    rows = ["| option | default | meaning, and where the default comes from |", "|---|---|---|"]
    rows += [_row(a) for a in actions if a.option_strings and a.dest != "help"]
    return "\n".join(rows) + "\n"


def _row(action: argparse.Action) -> str:
    option = OPTIONS[action.dest]
    choices = f"One of {', '.join(f'`{c}`' for c in action.choices)}." if action.choices else ""
    words = " ".join(filter(None, (sentence(option.help), choices, option.page)))
    default = "off" if action.const is True else shown_default(action.dest, action.default) or "–"
    row = f"| {action.option_strings[-1]} | {default} | {words} |"
    return re.sub(r"(?<!`)--[a-z-]+", r"`\g<0>`", row)


def written(page: str) -> str:
    """The page with the table between its marks."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}{table()}{END}{rest.split(END)[1]}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Prints or writes the table of options.")
    parser.add_argument("--write", metavar="PAGE", type=Path)
    path = parser.parse_args().write
    if path is None:
        print(table(), end="")
    else:
        path.write_text(written(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
