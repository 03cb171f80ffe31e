"""As much of ComfyUI's V3 node interface as describing nodes takes: no server, no execution.

Names, fields and class methods are those of ComfyUI 0.3.64; anything else is an AttributeError or a
TypeError here as it is there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


class Input:
    """One input of a schema; `options` are the keyword arguments it was made with."""

    io_type = ""

    def __init__(self, id: str, display_name: str | None = None, **options: Any) -> None:
        self.id, self.display_name, self.options = id, display_name, options


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


def Custom(io_type: str) -> type:
    """A type of connection with its Input and Output."""
    made = {"io_type": io_type}
    members = {
        "io_type": io_type,
        "Input": type("Input", (Input,), made),
        "Output": type("Output", (Output,), made),
    }
    return type(io_type, (), members)


@dataclass
class Schema:
    """What a node says of itself."""

    node_id: str
    display_name: str | None = None
    category: str = "sd"
    inputs: list[Input] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    description: str = ""
    is_input_list: bool = False
    is_output_node: bool = False
    is_deprecated: bool = False
    is_experimental: bool = False
    is_api_node: bool = False
    not_idempotent: bool = False
    enable_expand: bool = False


class NodeOutput:
    """What a node returns."""

    def __init__(self, *args: Any, ui: Any = None, **options: Any) -> None:
        self.args, self.ui, self.options = args, ui, options

    @property
    def result(self) -> tuple[Any, ...] | None:
        return self.args or None


class ComfyNode:
    """Base of every node."""

    hidden: Any = None

    @classmethod
    def define_schema(cls) -> Schema:
        raise NotImplementedError

    @classmethod
    def GET_SCHEMA(cls) -> Schema:
        return cls.define_schema()


class ComfyExtension:
    """Base of what `comfy_entrypoint` returns."""

    async def on_load(self) -> None:
        """Called by ComfyUI, in versions that do."""

    async def get_node_list(self) -> list[type[ComfyNode]]:
        raise NotImplementedError


class io:
    """The namespace that nodes import."""

    ComfyNode, NodeOutput, Schema, Custom = ComfyNode, NodeOutput, Schema, staticmethod(Custom)
    Boolean, Int, Float, String, Combo = map(Custom, ("BOOLEAN", "INT", "FLOAT", "STRING", "COMBO"))
    Image, Mask, Clip, ClipVision, ClipVisionOutput, Conditioning, Model = map(
        Custom, ("IMAGE", "MASK", "CLIP", "CLIP_VISION", "CLIP_VISION_OUTPUT", "CONDITIONING",
                 "MODEL")
    )  # fmt: skip

    class Hidden:
        unique_id = "UNIQUE_ID"
        prompt = "PROMPT"
        extra_pnginfo = "EXTRA_PNGINFO"
        dynprompt = "DYNPROMPT"


__all__ = ["ComfyExtension", "io"]
