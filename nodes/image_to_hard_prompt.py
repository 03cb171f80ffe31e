"""Image→Hard Prompt: the words that are most similar to pictures, as CLIP sees them."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io

from ..pez_core.config import PRESETS, SearchConfig
from ..pez_core.errors import ConfigError
from ..pez_core.options import OPTIONS
from ..pez_core.targets import join_targets, make_targets
from ..pez_core.text.template import plain_template
from . import schema
from .interrupt import check_cancelled
from .models.clip_files import current
from .models.encoder import ModelRequest, open_encoder
from .run.choosing import Chooser
from .run.denoising import connected_painter
from .run.learning import Search, run_search
from .run.running import node_run
from .values import one_of


class ImageToHardPrompt(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema.schema(
            node_id="PEZ_ImageToHardPrompt",
            display_name="Image→Hard Prompt",
            description="Learns words that describe a picture to the text encoder you paint with "
            "(PEZ, arXiv 2302.03668). Several pictures give one prompt for what they share.",
            search_aliases=[
                "image to prompt",
                "interrogator",
                "pez",
                "caption",
                "img2prompt",
                "describe",
                "clip interrogator",
                "image to text",
                "反推",
                "提示词反推",
            ],
            inputs=_inputs(),
            outputs=schema.prompt_outputs(),
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, model: str) -> bool | str:
        return schema.known_model(model)

    @classmethod
    @node_run()
    def execute(
        cls,
        image: torch.Tensor,
        model: str,
        tokens: int,
        preset: str,
        steps: int,
        seed: int,
        restarts: int,
        learning_rate: float,
        weight_decay: float,
        vocabulary: str,
        seconds: float,
        template: str,
        text_targets: str,
        ban: str,
        avoid: str | None = "",
        negative_image: torch.Tensor | None = None,
        clip: Any = None,
        clip_vision: Any = None,
        painter: Any = None,
        vae: Any = None,
        painter_edits: int | None = 0,
    ) -> io.NodeOutput:
        chooser, edits = None, painter_edits or 0
        connected = connected_painter(painter, vae, clip)
        if connected is not None:
            chooser = Chooser(connected, image, edits)
        elif edits:
            raise ConfigError(
                "`painter_edits` needs the model that you paint with: connect `painter`, `vae` and "
                "`clip`, or set it to 0"
            )
        images = {"image": image, "negative_image": negative_image}
        encoder, seen = open_encoder(
            ModelRequest(current(model), clip, clip_vision),
            {name: given for name, given in images.items() if given is not None},
        )
        parts = [make_targets(seen["image"])]
        if negative_image is not None:
            away = seen["negative_image"]
            parts.append(make_targets(away, [-1.0] * len(away)))
        lines = [line.strip() for line in text_targets.splitlines() if line.strip()]
        if lines:
            parts.append(make_targets(encoder.load().encode_texts(lines, check_cancelled).cpu()))
        search = Search(
            template.strip() or plain_template(tokens),
            _config(preset, steps, restarts, learning_rate, weight_decay, seconds),
            seed,
            vocabulary,
            ban,
            schema.concepts(avoid),
        )
        targets = join_targets(parts)
        return run_search(cls.hidden.unique_id, encoder, targets, search, chooser=chooser)


def _config(
    preset: str, steps: int, restarts: int, lr: float, weight_decay: float, seconds: float
) -> SearchConfig:
    """The preset with the user's changes; 0, or -1 for the decay, keeps the preset's value. The
    preset "custom" has those of the default."""
    changes: dict[str, Any] = {"steps": steps, "restarts": restarts, "lr": lr, "seconds": seconds}
    changes = {name: value for name, value in changes.items() if value}
    if weight_decay >= 0:
        changes["weight_decay"] = weight_decay
    presets = {**PRESETS, schema.CUSTOM: PRESETS["default"]}
    return presets[one_of(presets, preset, "preset")].replace(**changes)


def _inputs() -> list[Any]:
    return [
        io.Image.Input(
            "image", tooltip="The picture. A batch of several gives one prompt for all of them."
        ),
        schema.model_input(),
        schema.tokens_input(),
        schema.preset_input(schema.CUSTOM),
        io.Int.Input(
            "steps",
            default=0,
            min=0,
            max=100_000,
            step=1,
            tooltip=OPTIONS["steps"].tooltip,
        ),
        schema.seed_input(),
        io.Int.Input(
            "restarts",
            default=0,
            min=0,
            max=256,
            step=1,
            tooltip=OPTIONS["restarts"].tooltip,
        ),
        io.Float.Input(
            "learning_rate",
            default=0.0,
            min=0.0,
            max=10.0,
            step=0.01,
            tooltip=OPTIONS["lr"].tooltip,
        ),
        io.Float.Input(
            "weight_decay",
            default=-1.0,
            min=-1.0,
            max=10.0,
            step=0.01,
            tooltip=OPTIONS["weight_decay"].tooltip,
        ),
        schema.vocabulary_input(),
        io.Float.Input(
            "seconds",
            default=0.0,
            min=0.0,
            max=86_400.0,
            step=1.0,
            tooltip=OPTIONS["seconds"].tooltip,
        ),
        io.String.Input(
            "template",
            default="",
            dynamic_prompts=False,
            tooltip=OPTIONS["template"].tooltip,
        ),
        io.String.Input(
            "text_targets",
            default="",
            multiline=True,
            dynamic_prompts=False,
            tooltip=OPTIONS["text"].tooltip,
        ),
        schema.ban_input(),
        schema.avoid_input(),
        io.Image.Input(
            "negative_image",
            optional=True,
            tooltip="Pictures that the prompt should keep away from.",
        ),
        schema.clip_input(),
        schema.clip_vision_input(),
        *schema.painter_inputs("The model you paint with: let it choose among the best prompts."),
        schema.edits_input(
            "painter_edits",
            OPTIONS["painter_edits"].tooltip,
            optional=True,  # graphs of earlier versions lack it
        ),
    ]
