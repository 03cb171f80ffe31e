# PYTHON_ARGCOMPLETE_OK
"""The command `pez`. Each verb is one file with `add_parser` and `run`.

`run` turns the parsed arguments into a frozen dataclass of the verb, by functions that only read
them. Nothing else takes them.

torch takes seconds to import, so a file of this folder imports it, numpy, Pillow, and the modules
of pez_core that need them inside the functions that work, and at its top for type checkers only.
So help, errors of usage and `pez tokens` answer at once.

`command` runs a verb, `parser` reads the command line, and `output` writes to stdout and stderr.
`options` and `text_options` add the options that verbs share, `request` reads them, and
`option_table` writes them into the docs. `searching` and `progress` show a running search.

Exit codes: 0 done; 1 done, but pictures of a folder have errors instead of results, or a checked
text means or says something to avoid; 2 an error, as one line on stderr; 130 ended by Ctrl-C, with
the best prompt so far printed if there is one.
"""

from __future__ import annotations

from collections.abc import Sequence

from .exit_codes import INTERRUPTED


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb and returns the exit code."""
    try:
        from .command import run_command  # here, so that Ctrl-C has to work meanwhile

        return run_command(argv)
    except KeyboardInterrupt:
        from .output import write_message

        write_message("pez: interrupted")
        return INTERRUPTED
