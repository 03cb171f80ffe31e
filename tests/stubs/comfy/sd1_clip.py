"""How ComfyUI reads a prompt before it tokenises it: escaped parentheses, and weights."""

from __future__ import annotations

_ESCAPED = {r"\(": "\ue000", r"\)": "\ue001"}  # out of the way as characters of no text


def escape_important(text: str) -> str:
    for written, hidden in _ESCAPED.items():
        text = text.replace(written, hidden)
    return text


def unescape_important(text: str) -> str:
    for written, hidden in _ESCAPED.items():
        text = text.replace(hidden, written[1])
    return text


def token_weights(string: str, current_weight: float) -> list[tuple[str, float]]:
    """The pieces of a prompt with their weights: (piece) is 1.1 times as strong as what is around
    it, (piece:1.3) has just this weight, and parentheses nest."""
    found: list[tuple[str, float]] = []
    for piece in _groups(string):
        if not (piece.startswith("(") and piece.endswith(")") and len(piece) > 1):
            found.append((piece, current_weight))
            continue
        inside, weight = piece[1:-1], current_weight * 1.1
        text, colon, number = inside.rpartition(":")
        if colon and text:
            try:
                inside, weight = text, float(number)
            except ValueError:
                inside = piece[1:-1]
        found += token_weights(inside, weight)
    return found


def _groups(string: str) -> list[str]:
    """The string cut around its outermost parentheses."""
    cuts, depth = {0, len(string)}, 0
    for place, character in enumerate(string):
        if character == "(":
            cuts.update({place} if depth == 0 else ())
            depth += 1
        elif character == ")":
            depth -= 1
            cuts.update({place + 1} if depth == 0 else ())
    ends = sorted(cuts)
    return [string[a:b] for a, b in zip(ends, ends[1:], strict=False) if b > a]
