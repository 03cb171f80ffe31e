"""Which encoders a run learns for: one CLIP, or SDXL's two at once.

An entry of the drop-down with two encoders means both, each with its own image tower from its file.
Where that cannot be, the node goes on with the one there is and says so: a graph's `clip` may hold
only one of them, and a file may be missing. `clip_vision` is one image encoder, so with it the
words are learned for the text encoder that belongs to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from ...pez_core.clip.ensemble import join_towers
from ...pez_core.clip.source import JointSource
from ...pez_core.errors import ModelError
from ..run.live import Downloading
from .clip_files import JOINT, Choice, find_choice
from .encoder import Asked, Encoder, TextEncoder, hold, require_open_clip, see_with_files
from .graph_clip import titles
from .pictures import pictures_of


def open_encoder(asked: Asked) -> Encoder | JointEncoder:
    """What sees the pictures and reads the texts of one run.

    Raises ModelError where no encoder can be had, and what `Encoder` raises.
    """
    require_open_clip()
    encoders = JOINT.get(asked.label, {})
    wanted, notes = dict(encoders), []
    if asked.clip is not None:
        held = titles(asked.clip)
        wanted = {title: width for title, width in encoders.items() if title in held}
        notes = [f"`clip` holds no {title}" for title in encoders if title not in held]
    if not wanted:
        return Encoder(asked)
    if asked.clip_vision is not None:
        alone = "learned for the encoder of `clip_vision` alone: disconnect it to learn for both"
        return Encoder(asked, note=alone if len(wanted) > 1 else "")
    choices: dict[str, Choice] = {}
    for title, width in wanted.items():
        try:
            choices[title] = find_choice(asked.label, width=width, progress=Downloading())
        except ModelError as error:
            if not choices and title == [*wanted][-1]:
                raise
            notes.append(f"{title} was left out: {error}")
    if len(choices) > 1:
        return JointEncoder(asked, choices)
    ((title, choice),) = choices.items()
    return Encoder(asked, choice, f"learned for {title} alone: {'; '.join(notes)}")


class JointEncoder:
    """Several CLIPs as one, all of equal weight. choices: the file of each, by its title."""

    def __init__(self, asked: Asked, choices: Mapping[str, Choice]) -> None:
        self._asked, self._choices = asked, choices
        files = tuple(choice.source for choice in choices.values())
        self._files = JointSource(asked.label, files, (1,) * len(files))

    def see(self, image: Tensor, name: str) -> Tensor:
        """Unit features of an IMAGE, (B, H, W, 3) → (B, E), on the CPU. name: the input's."""
        return see_with_files(self._files, pictures_of(image, name))

    def text(self, embed_dim: int | None = None) -> TextEncoder:
        """The text towers as one; their features have the dimensions of what was seen."""
        parts = {
            title: Encoder(self._asked, choice).unread(choice.source.arch.embed_dim)
            for title, choice in self._choices.items()
        }
        sources = tuple(replace(part.source, name=title) for title, part in parts.items())
        label = self._asked.label
        name = label if self._asked.clip is None else f"{' and '.join(parts)} of the graph"
        return hold(
            JointSource(name, sources, self._files.weights),
            ("joint", *(part.key for part in parts.values())),
            lambda: join_towers([part.read() for part in parts.values()], self._files.weights),
            next(iter(parts.values())).owner,
        )
