"""What a user should know of a result, as the page shows it."""

from __future__ import annotations


def joined_notes(*notes: str) -> str:
    """Notes as one text. The page takes them apart at the semicolons (`said` in language.js)."""
    return "; ".join(filter(None, notes))
