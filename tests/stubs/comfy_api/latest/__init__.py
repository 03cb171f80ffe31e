"""As much of ComfyUI's V3 node interface as describing and running nodes takes: no server.

Names, keywords, defaults and checks are those of ComfyUI 0.3.64; anything else is an AttributeError
or a TypeError here as it is there. With PEZ_STUB_NEWER in the environment it also knows what newer
versions have added: `advanced` inputs and `search_aliases`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from enum import Enum
from inspect import Parameter, Signature
from typing import Any

NEWER = bool(os.environ.get("PEZ_STUB_NEWER"))
_OF_ALL = ("id", "display_name", "optional", "tooltip", "lazy")
_OF_WIDGETS = ("default", "socketless", "force_input") + (("advanced",) if NEWER else ())
_NUMBER = ("min", "max", "step", "display_mode")
_DEFAULTS = {"optional": False, "multiline": False}


class Input:
    """One input of a schema; `options` are the keyword arguments it was made with."""

    io_type = ""
    id = ""
    options: dict[str, Any]

    @property
    def optional(self) -> bool:
        return bool(self.options.get("optional"))


def _input(io_type: str, *keywords: str) -> type[Input]:
    """A class of inputs whose constructor takes these keywords and no others."""
    names = ("self", *dict.fromkeys(("id", *keywords)))
    signature = Signature(
        [
            Parameter(name, Parameter.POSITIONAL_OR_KEYWORD)
            if name in ("self", "id")
            else Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, default=_DEFAULTS.get(name))
            for name in names
        ]
    )

    def __init__(self: Input, *values: Any, **options: Any) -> None:
        given = dict(signature.bind(self, *values, **options).arguments)
        del given["self"]
        self.id, self.options = given.pop("id"), given

    __init__.__signature__ = signature  # type: ignore[attr-defined]
    return type("Input", (Input,), {"io_type": io_type, "__init__": __init__})


class Output:
    """One output of a schema."""

    io_type = ""

    def __init__(
        self,
        id: str | None = None,
        display_name: str | None = None,
        tooltip: str | None = None,
        is_output_list: bool = False,
    ) -> None:
        self.id, self.display_name, self.tooltip = id, display_name, tooltip
        self.is_output_list = is_output_list


def _kind(io_type: str, *keywords: str) -> type:
    members = {
        "io_type": io_type,
        "Input": _input(io_type, *keywords),
        "Output": type("Output", (Output,), {"io_type": io_type}),
    }
    return type(io_type, (), members)


def Custom(io_type: str) -> type:
    """A type of connection with its Input and Output."""
    return _kind(io_type, *_OF_ALL, "extra_dict")


def _widget(io_type: str, *keywords: str) -> type:
    return _kind(io_type, *_OF_ALL, *_OF_WIDGETS, *keywords)


class Hidden(str, Enum):
    unique_id = "UNIQUE_ID"
    prompt = "PROMPT"
    extra_pnginfo = "EXTRA_PNGINFO"
    dynprompt = "DYNPROMPT"


@dataclass
class Schema:
    """What a node says of itself."""

    node_id: str
    display_name: str | None = None
    category: str = "sd"
    inputs: list[Input] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    hidden: list[Hidden] = field(default_factory=list)
    description: str = ""
    is_input_list: bool = False
    is_output_node: bool = False
    is_deprecated: bool = False
    is_experimental: bool = False
    is_api_node: bool = False
    not_idempotent: bool = False
    enable_expand: bool = False

    def validate(self) -> None:
        ids = [part.id for part in (*self.inputs, *self.outputs) if part.id is not None]
        twice = {id for id in ids if ids.count(id) > 1}
        if twice:  # 0.3.64 demands this between inputs and outputs as well
            raise ValueError(f"Ids must be unique between inputs and outputs, but {twice} are not.")


if NEWER:

    @dataclass
    class NewerSchema(Schema):
        search_aliases: list[str] = field(default_factory=list)


class NodeOutput:
    """What a node returns."""

    def __init__(
        self, *args: Any, ui: Any = None, expand: Any = None, block_execution: Any = None
    ) -> None:
        self.args, self.ui = args, ui
        self.expand, self.block_execution = expand, block_execution

    @property
    def result(self) -> tuple[Any, ...] | None:
        return self.args or None


class HiddenHolder:
    """The hidden values of one run. Those that a schema does not ask for are None."""

    def __init__(self, values: dict[Hidden, Any]) -> None:
        for hidden in Hidden:
            setattr(self, hidden.name, values.get(hidden))


class ComfyNode:
    """Base of every node."""

    hidden: Any = None

    @classmethod
    def define_schema(cls) -> Schema:
        raise NotImplementedError

    @classmethod
    def GET_SCHEMA(cls) -> Schema:
        schema = cls.define_schema()
        schema.validate()
        return schema

    @classmethod
    def PREPARE_CLASS_CLONE(cls, hidden: dict[Hidden, Any]) -> type[ComfyNode]:
        """The class that a run gets: with its hidden values, so that nothing is kept on the node's
        own."""
        asked = cls.define_schema().hidden
        values = {name: value for name, value in hidden.items() if name in asked}
        return type(cls.__name__, (cls,), {"hidden": HiddenHolder(values)})


class ComfyExtension:
    """Base of what `comfy_entrypoint` returns."""

    async def on_load(self) -> None:
        """Called by ComfyUI, in versions that do."""

    async def get_node_list(self) -> list[type[ComfyNode]]:
        raise NotImplementedError


class io:
    """The namespace that nodes import."""

    ComfyNode, NodeOutput, Custom, Hidden = ComfyNode, NodeOutput, staticmethod(Custom), Hidden
    Schema = NewerSchema if NEWER else Schema
    Boolean = _widget("BOOLEAN", "label_on", "label_off")
    Int = _widget("INT", *_NUMBER, "control_after_generate")
    Float = _widget("FLOAT", *_NUMBER, "round")
    String = _widget("STRING", "multiline", "placeholder", "dynamic_prompts")
    Combo = _kind(
        "COMBO", "options", *_OF_ALL, *(w for w in _OF_WIDGETS if w != "force_input"),
        "control_after_generate", "upload", "image_folder", "remote",
    )  # fmt: skip
    Image, Mask, Clip, ClipVision, ClipVisionOutput, Conditioning, Model, Vae = map(
        Custom, ("IMAGE", "MASK", "CLIP", "CLIP_VISION", "CLIP_VISION_OUTPUT", "CONDITIONING",
                 "MODEL", "VAE")
    )  # fmt: skip


__all__ = ["ComfyExtension", "io"]
