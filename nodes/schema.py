"""What the schemas of all nodes share: the version filter, the model drop-down, the connection."""

from __future__ import annotations

import dataclasses
import inspect
import re
from typing import Any

from comfy_api.latest import io

from ..pez_core.config import PRESETS
from ..pez_core.text.template import MOST_TOKENS
from ..pez_core.text.vocabulary import KINDS
from .models.clip_files import choices

CATEGORY = "PEZ"
GREATEST_SEED = 2**64 - 1
_SCHEMA_FIELDS = {field.name for field in dataclasses.fields(io.Schema)}

Tokens = io.Custom("PEZ_TOKENS")


def schema(**described: Any) -> io.Schema:
    """A schema without the keywords that this ComfyUI does not know: one of them would be a
    TypeError that drops the whole pack."""
    known = {k: v for k, v in described.items() if k in _SCHEMA_FIELDS}
    return io.Schema(category=CATEGORY, is_output_node=True, **known)


def advanced(kind: Any, name: str, **options: Any) -> Any:
    """An input that newer front ends fold away."""
    if "advanced" in inspect.signature(kind.Input.__init__).parameters:
        options["advanced"] = True
    return kind.Input(name, **options)


def model_input(extra: tuple[str, ...] = ()) -> Any:
    """The drop-down of models. extra: entries before the others."""
    options = [*extra, *choices()]
    return io.Combo.Input(
        "model",
        options=options,
        default=options[0],
        tooltip="Which CLIP the words are learned for: choose the diffusion model you paint with. "
        "The files of your text_encoders, clip_vision and checkpoints folders that can be used "
        "are listed as well. 'demo (offline)' is tiny, needs no download and knows clip-art.",
    )


def tokens_input(tooltip: str) -> Any:
    return io.Int.Input("tokens", default=8, min=1, max=MOST_TOKENS, step=1, tooltip=tooltip)


def preset_input() -> Any:
    return io.Combo.Input(
        "preset",
        options=list(PRESETS),
        default="default",
        tooltip="How long to search. fast: the first good words. thorough: round after round, "
        "for more similarity. paper: the paper's own setting, one prompt for 3000 steps.",
    )


def seed_input() -> Any:
    return io.Int.Input(
        "seed",
        default=0,
        min=0,
        max=GREATEST_SEED,
        step=1,
        control_after_generate=True,
        tooltip="Where the search starts. The same seed gives the same prompt.",
    )


def vocabulary_input() -> Any:
    return advanced(
        io.Combo,
        "vocabulary",
        options=list(KINDS),
        default="words",
        tooltip="Tokens to learn from. words: whole words alone, which say more to other CLIPs as "
        "well. ascii: digits, punctuation and short pieces too. all: everything, emoji included.",
    )


def ban_input() -> Any:
    return io.String.Input(
        "ban",
        default="",
        dynamic_prompts=False,
        tooltip="Words that must not appear, separated by commas. cat* also bans cats.",
    )


def avoid_input(whose: str) -> Any:
    return io.String.Input(
        "avoid",
        optional=True,  # graphs of earlier versions do not have it
        default="",
        dynamic_prompts=False,
        tooltip=f"Meanings that {whose} keep away from, in whatever words, separated by commas, "
        "such as: text, a person.",
    )


def concepts(avoid: str | None) -> tuple[str, ...]:
    """The meanings in the widget `avoid`, each once."""
    named = (name.strip() for name in re.split(r"[,\n]", avoid or ""))
    return tuple(dict.fromkeys(filter(None, named)))


def clip_input() -> Any:
    return io.Clip.Input(
        "clip",
        optional=True,
        tooltip="Learn for the very text encoder of this graph, LoRAs included, instead of that "
        "of the model above.",
    )


def clip_vision_input() -> Any:
    return io.ClipVision.Input(
        "clip_vision",
        optional=True,
        tooltip="See the pictures with this image encoder instead of that of the model above. It "
        "must be of the same CLIP as the text encoder. Of SDXL's two text encoders the words are "
        "then learned for this one's alone.",
    )


def output(kind: Any, name: str, tooltip: str, **options: Any) -> Any:
    """An output. Its id differs from its name, as older ComfyUI wants ids that no input has."""
    return kind.Output(f"{name}_out", display_name=name, tooltip=tooltip, **options)


def prompt_outputs() -> list[Any]:
    """What the two nodes that learn give."""
    return [
        output(io.String, "prompt", "The learned prompt, escaped: ready for CLIP Text Encode."),
        output(
            io.Float,
            "similarity",
            "Cosine similarity of this text with the targets, from -1 to 1.",
        ),
        output(Tokens, "tokens", "The prompt with its tokens, for the Token Viewer."),
        output(
            io.String,
            "candidates",
            "The best distinct prompts, best first, escaped.",
            is_output_list=True,
        ),
    ]
