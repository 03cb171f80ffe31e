"""Lists in text files: allowed words, avoided concepts, neutral prompts."""

from __future__ import annotations

from pathlib import Path

from ..errors import PezError


def read_lines(path: str | Path, refusal: type[PezError]) -> list[str]:
    """The non-empty lines of a UTF-8 text file; `#` starts a comment line.

    Raises `refusal` when the file cannot be read.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise refusal(f"cannot read the list {path}: {error}; give a UTF-8 text file") from error
    stripped = (line.strip() for line in lines)
    return [line for line in stripped if line and not line.startswith("#")]
