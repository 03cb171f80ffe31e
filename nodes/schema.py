"""What the schemas of the nodes share: inputs, outputs, and the filter for older ComfyUIs."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from comfy_api.latest import io

from ..pez_core.config import PRESETS
from ..pez_core.options import OPTIONS
from ..pez_core.text.template import MOST_TOKENS
from ..pez_core.text.vocabulary import KINDS
from .models.clip_files import PRESETS as MODELS
from .models.clip_files import first_choice, is_known, usable_files

CATEGORY = "PEZ"
GREATEST_SEED = 2**64 - 1
_SCHEMA_FIELDS = {field.name for field in dataclasses.fields(io.Schema)}

Tokens = io.Custom("PEZ_TOKENS")


def schema(**described: Any) -> io.Schema:
    """A schema without the keywords that this ComfyUI does not know. An unknown keyword raises a
    TypeError, and ComfyUI then drops the whole pack."""
    known = {k: v for k, v in described.items() if k in _SCHEMA_FIELDS}
    return io.Schema(category=CATEGORY, is_output_node=True, **known)


def model_input(extra: tuple[str, ...] = ()) -> Any:
    """The drop-down of models. extra: the first entries."""
    files = usable_files()
    return io.Combo.Input(
        "model",
        options=[*extra, *MODELS, *files],
        default=extra[0] if extra else first_choice(files),
        tooltip=OPTIONS["model"].tooltip,
    )


def known_model(model: str, extra: tuple[str, ...] = ()) -> bool | str:
    """Whether a drop-down of models has an entry, for ComfyUI's validation: graphs of earlier
    versions name some entries otherwise."""
    if model in extra or is_known(model):
        return True
    return f"{model} is not in the list of models: press R, and choose another"


def tokens_input(tooltip: str = OPTIONS["tokens"].tooltip) -> Any:
    return io.Int.Input("tokens", default=8, min=1, max=MOST_TOKENS, step=1, tooltip=tooltip)


CUSTOM = "custom"  # a preset of the node's own: the default's numbers, which the page then shows


def preset_input(*more: str) -> Any:
    part = io.Combo.Input(
        "preset",
        options=[*PRESETS, *more],
        default="default",
        tooltip=OPTIONS["preset"].tooltip,
    )
    if CUSTOM in more:
        config = PRESETS["default"]
        numbers = {"steps": config.steps, "restarts": config.restarts}
        numbers |= {"learning_rate": config.lr, "weight_decay": config.weight_decay}
        part.extra_dict = {"custom": numbers}
    return part


def seed_input() -> Any:
    return io.Int.Input(
        "seed",
        default=0,
        min=0,
        max=GREATEST_SEED,
        step=1,
        control_after_generate=True,
        tooltip=OPTIONS["seed"].tooltip,
    )


def vocabulary_input() -> Any:
    return io.Combo.Input(
        "vocabulary",
        options=list(KINDS),
        default="words",
        tooltip=OPTIONS["vocabulary"].tooltip,
    )


def ban_input() -> Any:
    return io.String.Input(
        "ban",
        default="",
        dynamic_prompts=False,
        tooltip=OPTIONS["ban"].tooltip,
    )


def avoid_input() -> Any:
    return io.String.Input(
        "avoid",
        optional=True,  # graphs of earlier versions lack it
        default="",
        dynamic_prompts=False,
        tooltip=OPTIONS["avoid"].tooltip,
    )


def concepts(avoid: str | None) -> tuple[str, ...]:
    """The meanings in the widget `avoid`, each once."""
    named = (name.strip() for name in re.split(r"[,\n]", avoid or ""))
    return tuple(dict.fromkeys(filter(None, named)))


def clip_input() -> Any:
    return io.Clip.Input(
        "clip",
        optional=True,
        tooltip="The text encoder of this graph, LoRAs included. It replaces that of the model "
        "above.",
    )


def clip_vision_input() -> Any:
    return io.ClipVision.Input(
        "clip_vision",
        optional=True,
        tooltip="The image encoder of this graph. It replaces that of the model above, and must "
        "belong to the same CLIP as the text encoder. With SDXL, the words are then learned only "
        "for the text encoder that belongs to it.",
    )


def painter_inputs(tooltip: str) -> list[Any]:
    """The model that paints and its VAE; with them a node needs `clip` too."""
    return [
        io.Model.Input(
            "painter", optional=True, tooltip=f"{tooltip} Connect `vae` and `clip` too."
        ),
        io.Vae.Input("vae", optional=True, tooltip="The VAE that belongs to `painter`."),
    ]


def edits_input(name: str, tooltip: str, **options: Any) -> Any:
    """How many edits of a prompt the painter may take."""
    return io.Int.Input(name, default=0, min=0, max=64, step=1, tooltip=tooltip, **options)


def output(kind: Any, name: str, tooltip: str, shown: str = "", **options: Any) -> Any:
    """An output. Its id differs from its name, because older ComfyUIs reject the id of an input.
    shown: what the page calls it, where an input has its name."""
    return kind.Output(f"{name}_out", display_name=shown or name, tooltip=tooltip, **options)


def prompt_outputs() -> list[Any]:
    """The outputs of the two nodes that learn."""
    return [
        output(io.String, "prompt", "The learned prompt, escaped: ready for CLIP Text Encode."),
        output(
            io.Float,
            "similarity",
            "The cosine similarity of this text with the targets, from -1 to 1.",
        ),
        output(Tokens, "tokens", "The prompt with its tokens, for the Token Viewer.", "token data"),
        output(
            io.String,
            "candidates",
            "The best distinct prompts, best first, escaped.",
            is_output_list=True,
        ),
    ]
