"""Lists in text files: allowed words, avoided concepts, neutral prompts."""

from __future__ import annotations

from pathlib import Path

from ..errors import PezError

MOST_BYTES = 32_000_000  # some millions of words; what is not a list may have any size


def read_lines(path: str | Path, refusal: type[PezError], of: str = "word") -> list[str]:
    """The non-empty lines of a UTF-8 text file, at least one; `#` starts a comment line. of: what a
    line names, for messages.

    Raises `refusal` when the file cannot be read, is too large, is not text, or has no such line.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES:,} bytes")
        text = data.decode("utf-8-sig")
        if "\0" in text:  # also what UTF-16 of English looks like
            raise ValueError("it holds NUL bytes")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise refusal(f"cannot read the list {path}: {reason}; give a UTF-8 text file") from error
    stripped = (line.strip() for line in text.splitlines())
    lines = [line for line in stripped if line and not line.startswith("#")]
    if not lines:
        raise refusal(f"{path} names no {of}: write one on each line; # starts a comment")
    return lines
