"""Prompt Ranker: which prompt describes a picture best, by the model you paint with."""

from __future__ import annotations

import time
from typing import Any

import torch
from comfy_api.latest import io

from ..pez_core.errors import ConfigError, PezError
from ..pez_core.hub.configuration import shown
from ..pez_core.painter.improving import Improvement, improve
from ..pez_core.painter.ranking import rank
from ..pez_core.painter.settings import ROUNDS
from . import schema
from .doing import say
from .run.denoising import GRAIN, GraphErrors, GraphPainter, sized
from .run.live import LiveRanking
from .run.messages import ranking_message
from .run.painter_words import borrowed, shaded
from .run.running import node_run


class PromptRanker(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema.schema(
            node_id="PEZ_PromptRanker",
            display_name="Prompt Ranker",
            description="Ranks prompts by the model you paint with: the better a prompt describes "
            "the picture, the better the model removes noise from the picture under it. Works with "
            "every text encoder; nothing is painted.",
            search_aliases=[
                "compare prompts",
                "best prompt",
                "prompt score",
                "pez",
                "提示词排名",
                "打分",
            ],
            is_input_list=True,  # for `candidates`: all of a list in one run
            inputs=_inputs(),
            outputs=_outputs(),
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(cls, **given: list[Any]) -> io.NodeOutput:
        """Every value comes as a list, of which only those of the prompts may be longer than 1."""
        prompts = _prompts(given.pop("prompts"), given.pop("candidates", None) or [])
        one = {name: values[0] if values else None for name, values in given.items()}
        return cls.rank_prompts(prompts=prompts, **one)

    @classmethod
    @node_run()
    def rank_prompts(
        cls,
        prompts: Any,
        image: torch.Tensor,
        model: Any,
        vae: Any,
        clip: Any,
        rounds: int,
        seconds: float,
        size: int,
        seed: int,
        words: bool,
        edits: int,
    ) -> io.NodeOutput:
        painter = GraphPainter(model, vae, clip)
        live = LiveRanking(cls.hidden.unique_id, rounds)
        began = time.monotonic()
        say("paint")
        with live:
            picture = GraphErrors(painter, sized(image, size), seed)
            found = rank(picture, prompts, rounds, seconds or None, live)
            best, edited = found.prompts[0].prompt, None
            if edits and not live.finish and found.reason != "seconds":
                generator = torch.Generator().manual_seed(seed)
                left = began + seconds - time.monotonic() if seconds else None
                try:
                    edited = improve(
                        picture, best, lambda text: borrowed(text, prompts, generator), edits,
                        rounds, left, live.editing(found, edits),
                    )  # fmt: skip
                except PezError as error:  # the ranking is not lost
                    edited = Improvement(best, (), 0, 0.0, str(error))
                best = edited.prompt
            added = {}
            for one in found.prompts if words else []:
                if live.finish or (seconds and time.monotonic() > began + seconds):
                    break  # the best come first
                added[one.prompt] = shaded(picture, one.prompt)
                live(found)
        message = ranking_message(found, rounds, added, edited)
        return io.NodeOutput(
            best,
            [ranked.prompt for ranked in found.prompts],
            [ranked.error for ranked in found.prompts],
            ui={"pez": [message], "text": [best]},
        )


def _prompts(typed: list[Any], listed: list[Any]) -> list[str]:
    """Each text once. typed: with a prompt on each line. Raises ConfigError for what is not a text,
    and without any."""
    for text in (*typed, *listed):
        if not isinstance(text, str):
            raise ConfigError(
                f"a prompt is {shown(text)}, but must be a text: check the node that is connected "
                "to `prompts` or `candidates`"
            )
    lines = [line.strip() for text in typed for line in text.splitlines()]
    found = list(dict.fromkeys(filter(str.strip, (*lines, *listed))))
    if not found:
        raise ConfigError(
            "nothing to rank: write a prompt on each line of `prompts`, or connect `candidates`"
        )
    return found


def _inputs() -> list[Any]:
    return [
        io.Image.Input("image", tooltip="The picture that the prompts describe."),
        io.Model.Input("model", tooltip="The model you paint with, LoRAs included."),
        io.Vae.Input("vae", tooltip="The VAE that belongs to the model."),
        io.Clip.Input(
            "clip", tooltip="The text encoder of the model: a CLIP, T5 or a language model."
        ),
        io.String.Input(
            "prompts",
            default="",
            multiline=True,
            dynamic_prompts=False,
            tooltip="The prompts to compare, one on each line, written as for CLIP Text Encode.",
        ),
        io.Int.Input(
            "rounds",
            default=ROUNDS,
            min=1,
            max=100,
            step=1,
            tooltip="How many noises at most. Each round shows the model the picture under one "
            "more noise, with each prompt that is not surely behind.",
        ),
        io.Float.Input(
            "seconds",
            default=0.0,
            min=0.0,
            max=86_400.0,
            step=1.0,
            tooltip="Begin no round after this time. 0: no limit.",
        ),
        io.Int.Input(
            "size",
            default=0,
            min=0,
            max=4096,
            step=GRAIN,
            tooltip="Scale the picture to as many pixels as a square of this side has; smaller is "
            "faster. 0: its own size, but at most that of a square of 1024.",
        ),
        schema.seed_input(),
        io.Boolean.Input(
            "words",
            default=False,
            tooltip="Measure what each word adds, too, and show it in shades. It takes as many "
            "passes for each word as a prompt takes in 4 rounds, and is left out after `seconds`.",
        ),
        schema.edits_input(
            "edits",
            "How many edits of the best prompt to take: words swapped, added or left out, with "
            "words of the other prompts, as long as the model is surely better with them.",
        ),
        io.String.Input(
            "candidates",
            optional=True,
            force_input=True,
            tooltip="More prompts: the candidates of Image→Hard Prompt, or any list of texts.",
        ),
    ]


def _outputs() -> list[Any]:
    return [
        schema.output(
            io.String, "prompt", "The best prompt after its edits, ready for CLIP Text Encode."
        ),
        schema.output(io.String, "ranking", "All prompts, best first.", is_output_list=True),
        schema.output(
            io.Float,
            "errors",
            "The error of each prompt in the same order, as a share of the error without words: "
            "below 1 the words help.",
            is_output_list=True,
        ),
    ]
