"""Text that is drawn into a picture, in lines."""

from __future__ import annotations

from PIL import ImageFont


def wrapped(
    text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, most: int, width: int
) -> list[str]:
    """The text in at most `most` lines, none wider than `width` pixels, with … where it is cut."""
    lines, rest = [""], text.split()
    while rest:
        word = rest.pop(0)
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
        elif lines[-1] and len(lines) < most:
            lines.append("")
            rest.insert(0, word)
        else:  # no line is left, or the word is wider than a line
            kept = longer
            while kept and font.getlength(f"{kept}…") > width:
                kept = kept[:-1]
            lines[-1] = f"{kept}…"
            if len(lines) == most:
                break
            lines.append("")
    return lines
