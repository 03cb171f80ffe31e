"""Prompt Mixer: one prompt from several prompts and pictures, each with a weight."""

from __future__ import annotations

import time
from typing import Any

import torch
from comfy_api.latest import io

from ..pez_core.applications.distillation import text_targets
from ..pez_core.applications.mixing import concatenated
from ..pez_core.config import PRESETS
from ..pez_core.errors import TargetError
from ..pez_core.prompt import LearnedPrompt
from ..pez_core.targets import Targets, join_targets, make_targets
from ..pez_core.text.bans import split_bans
from ..pez_core.text.template import plain_template
from ..pez_core.text.vocabulary import clip_vocabulary, make_mask
from . import schema
from .interrupt import check_cancelled
from .models.clip_files import current
from .models.encoder import ModelRequest, TextEncoder, open_encoder
from .notes import joined_notes
from .run.learning import Search, pack, run_search
from .run.prompt_text import embeddings, read, without_embeddings
from .run.running import node_run
from .values import one_of

PROMPTS = tuple(f"prompt_{n}" for n in range(1, 9))
IMAGES = tuple(f"image_{n}" for n in range(1, 5))
MODES = ("learn", "concatenate")
_MIXED = {
    **dict.fromkeys(PROMPTS, str | None),
    **dict.fromkeys(IMAGES, torch.Tensor | None),
    **dict.fromkeys((f"{name}_weight" for name in (*PROMPTS, *IMAGES)), float),
}


class PromptMixer(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema.schema(
            node_id="PEZ_PromptMixer",
            display_name="Prompt Mixer",
            description="Makes one prompt from several prompts and pictures. learn: a new, short "
            "one that is nearest to the weighted mix in CLIP's space. concatenate: the words of "
            "the prompts, without the least useful ones.",
            search_aliases=[
                "mix prompts",
                "merge prompts",
                "shorten prompt",
                "distill",
                "pez",
                "混合提示词",
            ],
            inputs=_inputs(),
            outputs=schema.prompt_outputs(),
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, model: str) -> bool | str:
        return schema.known_model(model)

    @classmethod
    @node_run(**_MIXED)
    def execute(
        cls,
        mode: str,
        tokens: int,
        model: str,
        preset: str,
        seed: int,
        vocabulary: str,
        ban: str,
        avoid: str | None = "",
        clip: Any = None,
        clip_vision: Any = None,
        **mixed: Any,
    ) -> io.NodeOutput:
        """mixed: prompt_1 to 8 and image_1 to 4, if connected, and the weight of each."""
        one_of(MODES, mode, "mode")
        prompts = {n: mixed[n] for n in PROMPTS if (mixed.get(n) or "").strip()}
        images = {n: mixed[n] for n in IMAGES if mixed.get(n) is not None}
        weights = {n: float(mixed.get(f"{n}_weight", 1.0)) for n in (*prompts, *images)}
        weighed = any(weight != 1.0 for text in prompts.values() for weight in read(text)[1])
        dropped = "weights such as (word:1.2) were dropped" if weighed else ""
        names = {n: embeddings(text) for n, text in prompts.items() if weights[n]}
        prompts = {n: without_embeddings(text) for n, text in prompts.items() if weights[n]}
        prompts = {n: text for n, text in prompts.items() if clip_vocabulary().encode(text)}
        images = {n: image for n, image in images.items() if weights[n]}
        if not prompts and not images:
            raise TargetError(
                "nothing to mix: type or connect a prompt, or connect an image, with a weight that "
                "is not 0"
                + ("; an embedding has no words to learn from" if any(names.values()) else "")
            )
        request = ModelRequest(current(model), clip, clip_vision)
        encoder, targets = _targets(request, prompts, images, weights)
        away = schema.concepts(avoid)
        if mode == "learn":
            config, template = PRESETS[one_of(PRESETS, preset, "preset")], plain_template(tokens)
            search = Search(template, config, seed, vocabulary, ban, away)
            left_out = _listed([name for some in names.values() for name in some])
            left_out = left_out and f"an embedding has no words to learn from, left out: {left_out}"
            note = joined_notes(dropped, left_out)
            return run_search(cls.hidden.unique_id, encoder, targets, search, note)
        kept = [prompt for n, prompt in prompts.items() if weights[n] > 0]
        if not kept:
            raise TargetError(
                "nothing to concatenate: type or connect a prompt with a positive weight, or "
                "choose the mode learn"
            )
        joined = _concatenate(encoder, kept, targets, tokens, ban, away)
        added = _listed([name for n, some in names.items() if weights[n] > 0 for name in some])
        passed = added and f"passed on and not measured: {added}"
        note = joined_notes(dropped, passed)
        return pack(joined, encoder, targets, away, note=note, passed_on=added and f", {added}")


def _listed(names: list[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def _targets(
    request: ModelRequest,
    prompts: dict[str, str],
    images: dict[str, torch.Tensor],
    weights: dict[str, float],
) -> tuple[TextEncoder, Targets]:
    """The text encoder, and every prompt and picture as a target. The pictures of a batch share its
    weight, and so do the parts of a prompt that is longer than CLIP reads at once."""
    encoder, seen = open_encoder(request, images)
    parts = [
        make_targets(features, [weights[name] / len(features)] * len(features))
        for name, features in seen.items()
    ]
    for name, prompt in prompts.items():
        check_cancelled()
        read_in_parts = text_targets(encoder.load(), prompt).to("cpu")
        shares = [share * weights[name] for share in read_in_parts.weights.tolist()]
        parts.append(make_targets(read_in_parts.features, shares))
    return encoder, join_targets(parts)


def _concatenate(
    encoder: TextEncoder,
    prompts: list[str],
    targets: Targets,
    budget: int,
    ban: str,
    avoid: tuple[str, ...],
) -> LearnedPrompt:
    model = encoder.load()
    guard = encoder.guard(avoid)
    mask = make_mask(model.vocabulary, "all", ban=split_bans(ban))
    started = time.perf_counter()
    best = concatenated(
        model, prompts, targets, budget, mask=mask, guard=guard, check_interrupt=check_cancelled
    )
    seconds = time.perf_counter() - started
    return LearnedPrompt((best,), (), 0, seconds, "steps", 0, model.name, {})


def _inputs() -> list[Any]:
    weight = {"default": 1.0, "min": -10.0, "max": 10.0, "step": 0.05}
    return [
        io.Combo.Input(
            "mode",
            options=list(MODES),
            default="learn",
            tooltip="learn: a new prompt, nearest to the mix of all inputs. concatenate: the "
            "prompts one after the other, shortened to the number of tokens.",
        ),
        schema.tokens_input(
            "learn: how many tokens to learn. concatenate: how many tokens to keep at most."
        ),
        schema.model_input(),
        schema.preset_input(),
        schema.seed_input(),
        schema.vocabulary_input(),
        schema.ban_input(),
        *(
            io.Float.Input(
                f"{name}_weight",
                tooltip=f"How much {name} counts. Negative: keep away from it. 0: leave it out.",
                **weight,
            )
            for name in (*PROMPTS, *IMAGES)
        ),
        schema.avoid_input(),
        *(
            io.String.Input(
                name,
                optional=True,
                default="",
                dynamic_prompts=False,
                tooltip="A prompt to mix in: type it, or connect it.",
            )
            for name in PROMPTS
        ),
        *(
            io.Image.Input(name, optional=True, tooltip="A picture, or a batch, to mix in.")
            for name in IMAGES
        ),
        schema.clip_input(),
        schema.clip_vision_input(),
    ]
