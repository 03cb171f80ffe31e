"""What `pez` writes: results to stdout, messages to stderr. No other file of the command prints.

A result is not lost once it has been found. A sign that the console cannot show becomes an escape,
such as \\U0001f349. A result that stdout does not take goes to stderr, and the command fails. A
reader that has gone, as `head` does, is not an error, and neither is a stderr that takes nothing.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import IO, Any

from ..errors import OutputError, printable

_LONGEST_MESSAGE = 2000  # characters


def open_streams() -> None:
    """Prepares the three standard streams. A closed one is opened again, on the null device:
    otherwise the next file would get its number, and libraries write messages to number 2."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            # Of stdout for reading, so that writing a result fails.
            _open_null(number, os.O_WRONLY if name == "stderr" else os.O_RDONLY)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="backslashreplace")


def close_streams() -> None:
    """Flushes stdout and stderr: the interpreter would report at its end what they do not take."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            _discard(stream)


def write_result(text: str) -> None:
    """Writes a whole result to stdout, with a line break. Raises OutputError if stdout does not
    take it; then the result is on stderr."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        _discard(sys.stdout)
    except (OSError, ValueError) as error:
        _discard(sys.stdout)
        _write_error(text)
        reason = getattr(error, "strerror", None) or error
        raise OutputError(
            f"standard output cannot be written ({reason}): the result is on standard error instead"
        ) from error


def write_message(text: str) -> None:
    """Writes one line to stderr, without its middle if it is very long: messages repeat what was
    given."""
    if len(text) > _LONGEST_MESSAGE:
        half = _LONGEST_MESSAGE // 2
        text = f"{text[:half]} … {text[-half:]}"
    _write_error(printable(text))


def _write_error(text: str) -> None:
    try:
        print(text, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        _discard(sys.stderr)


def _discard(stream: IO[Any]) -> None:
    """Lets a stream write to the null device from now on."""
    with suppress(OSError, ValueError):
        _open_null(stream.fileno(), os.O_WRONLY)


def _open_null(number: int, flags: int) -> None:
    null = os.open(os.devnull, flags)
    if null == number:
        os.set_inheritable(null, True)
    else:
        os.dup2(null, number)
        os.close(null)
