"""Which encoders a run learns for: one CLIP, or SDXL's two at once.

An entry of the drop-down with two encoders means both, each with its own image tower from its file.
Where that cannot be, the node goes on with the one there is and says so: a graph's `clip` may hold
only one of them, and a file may be missing. `clip_vision` is one image encoder, so with it the
words are learned for the text encoder that belongs to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from ..pez_core.ensemble import join_features, join_towers
from ..pez_core.errors import ModelError
from ..pez_core.source import JointSource
from .clip_files import JOINT, Choice, find_choice
from .encoder import Asked, Encoder, TextEncoder, hold, require_open_clip
from .graph_clip import titles
from .live import Downloading


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
        self._weights = (1 / len(choices),) * len(choices)
        self._encoders = {title: Encoder(asked, choice) for title, choice in choices.items()}

    @torch.inference_mode(False)
    def see(self, image: Tensor, name: str) -> Tensor:
        """Unit features of an IMAGE, (B, H, W, 3) → (B, E), on the CPU. name: the input's."""
        seen = [encoder.see(image, name) for encoder in self._encoders.values()]
        return join_features([F.normalize(part, dim=-1) for part in seen], self._weights)

    def text(self, embed_dim: int | None = None) -> TextEncoder:
        """The text towers as one; their features have the dimensions of what was seen."""
        parts = {
            title: encoder.unread(self._choices[title].source.arch.embed_dim)
            for title, encoder in self._encoders.items()
        }
        sources = tuple(replace(part.source, name=title) for title, part in parts.items())
        label = self._asked.label
        name = label if self._asked.clip is None else f"{' and '.join(parts)} of the graph"
        return hold(
            JointSource(name, sources, self._weights),
            ("joint", *(part.key for part in parts.values())),
            lambda: join_towers([part.read() for part in parts.values()], self._weights),
            next(iter(parts.values())).owner,
        )
