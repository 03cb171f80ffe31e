"""Messages without signs that a terminal obeys: a file's name may hold line breaks and escapes."""

from __future__ import annotations

import logging


def printable(text: str) -> str:
    """The text with each sign that is not printable as an escape such as `\\x1b`."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def make_printable(record: logging.LogRecord) -> bool:
    """A filter of a log handler: passes every message on, printable."""
    record.msg, record.args = printable(record.getMessage()), None
    return True
