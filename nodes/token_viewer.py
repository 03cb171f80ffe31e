"""Token Viewer: the tokens of a prompt, what each of them adds, and the user's edits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from comfy_api.latest import io

from ..pez_core.errors import PictureError, TargetError
from ..pez_core.text.edits import Edits, Word, parse_edits
from ..pez_core.text.vocabulary import clip_vocabulary
from . import schema
from .models.clip_files import current
from .models.encoder import ModelRequest, require_open_clip
from .models.graph_clip import titles
from .run.connection import PromptTokens
from .run.denoising import connected_painter
from .run.measuring import measure
from .run.messages import Effects, viewed_message
from .run.painter_words import measure_by_painter
from .run.prompt_text import escape, read, read_words, weights_of, without_embeddings, write
from .run.reading import counts, text_that_comes_back
from .run.running import node_run

NO_MODEL = "none (tokens only)"


class TokenViewer(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema.schema(
            node_id="PEZ_TokenViewer",
            display_name="Token Viewer",
            description="Shows a prompt as CLIP reads it: its tokens, what each of them adds, and "
            "what could replace it. Click a word to lock, ban or replace it.",
            search_aliases=[
                "tokens",
                "tokenizer",
                "count tokens",
                "prompt analysis",
                "pez",
                "分词",
            ],
            inputs=_inputs(),
            outputs=_outputs(),
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, model: str) -> bool | str:
        return schema.known_model(model, (NO_MODEL,))

    @classmethod
    @node_run()
    def execute(
        cls,
        model: str,
        edits: str,
        avoid: str | None = "",
        prompt: str | None = None,
        tokens: PromptTokens | None = None,
        image: torch.Tensor | None = None,
        clip: Any = None,
        clip_vision: Any = None,
        painter: Any = None,
        vae: Any = None,
    ) -> io.NodeOutput:
        require_open_clip()
        chosen = connected_painter(painter, vae, clip)
        if chosen is not None and image is None:
            raise PictureError("to measure the words with `painter`, connect `image`")
        if not (prompt or "").strip() and tokens is not None:
            prompt = escape(tokens.text) + tokens.passed_on
        if prompt is None:
            raise TargetError("nothing to view: type a prompt, or connect `prompt` or `tokens`")
        vocabulary = clip_vocabulary()
        plain, weights = read(prompt)
        words = read_words(prompt, vocabulary)
        edited = _edits(parse_edits(edits), plain, words, tokens)
        shown = prompt
        if edited.replaced or any(edited.bans(word) for word in words):
            shown = write(words, edited, weights_of(words, plain, weights))
        passed_on = read(shown)[0]
        away = schema.concepts(avoid) + (tokens.avoid if tokens else ())
        request = None
        if model != NO_MODEL:
            # A language model reads for the painter alone.
            of_clip = clip if chosen is None or titles(clip) else None
            request = ModelRequest(current(model), of_clip, clip_vision)
        effects = Effects()
        if request is None and tokens is None:
            _require_nothing_to_measure(None if chosen else image, away)
        elif any(word.ids for word in words):
            seen = without_embeddings(shown)
            effects = measure(request, words, edited, seen, avoid=away, image=image, tokens=tokens)
        if chosen is not None and image is not None and any(word.ids for word in words):
            own = weights_of(words, plain, weights)
            effects = measure_by_painter(
                cls.hidden.unique_id, chosen, image, words, own, shown, effects
            )
        message = viewed_message(
            plain,
            passed_on,
            words,
            edited,
            effects,
            counts(clip, shown, read_words(shown, vocabulary), vocabulary),
            text_that_comes_back(clip, prompt, without_embeddings(prompt), words, vocabulary),
            vocabulary,
        )
        return io.NodeOutput(
            shown,
            message["template"],
            message["ban"],
            ui={"pez": [message], "text": [message["text"]]},
        )


def _edits(given: Edits, plain: str, words: list[Word], tokens: PromptTokens | None) -> Edits:
    """The edits that apply to this prompt. Words of a template are locked from the start."""
    if given.source == plain or tokens is None or tokens.text != plain:
        return given.of(plain)
    locked, place = set(), 0
    for index, word in enumerate(words):
        if tokens.fixed.issuperset(range(place, place + len(word.ids))):
            locked.add(index)
        place += len(word.ids)
    return replace(given.of(plain), locked=frozenset(locked))


def _require_nothing_to_measure(image: torch.Tensor | None, away: tuple[str, ...]) -> None:
    if image is not None:
        raise TargetError("to compare the prompt with the picture, choose a model")
    if away:
        raise TargetError("to check the prompt against `avoid`, choose a model")


def _inputs() -> list[Any]:
    return [
        schema.model_input((NO_MODEL,)),
        io.String.Input(
            "edits",
            default="",
            dynamic_prompts=False,
            tooltip="Your edits of the words, as JSON, made by clicking the words.",
        ),
        schema.avoid_input(),
        io.String.Input(
            "prompt",
            optional=True,
            default="",
            dynamic_prompts=False,
            tooltip="Any prompt, learned or written: type it, or connect it.",
        ),
        schema.Tokens.Input(
            "tokens",
            optional=True,
            tooltip="A learned prompt, with its model and the pictures it was learned for.",
        ),
        io.Image.Input(
            "image",
            optional=True,
            tooltip="Measure what each token adds to the similarity with this picture.",
        ),
        schema.clip_input(),
        schema.clip_vision_input(),
        *schema.painter_inputs(
            "The model you paint with: let it measure what each word adds to `image`."
        ),
    ]


def _outputs() -> list[Any]:
    return [
        schema.output(
            io.String, "prompt", "The edited prompt, ready for CLIP Text Encode.", "edited prompt"
        ),
        schema.output(
            io.String,
            "template",
            "The locked words in their places and slots for the others, for the template of "
            "Image→Hard Prompt.",
        ),
        schema.output(io.String, "ban", "The banned words, for the ban of Image→Hard Prompt."),
    ]
