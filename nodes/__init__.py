"""The nodes of this pack for ComfyUI's V3 interface, one file each."""

from __future__ import annotations

try:
    from comfy_api.latest import ComfyExtension, io

    io.Schema, io.ComfyNode, io.Custom  # noqa: B018  # were added one after the other
except (ImportError, AttributeError) as error:
    raise ImportError(
        f"this pack needs ComfyUI 0.3.64 or newer, and this one is older ({error}): update ComfyUI"
    ) from error

from .image_to_hard_prompt import ImageToHardPrompt
from .prompt_mixer import PromptMixer
from .prompt_ranker import PromptRanker
from .routes import add_routes
from .token_viewer import TokenViewer


class PezExtension(ComfyExtension):
    """Returns the nodes of the pack to ComfyUI."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [ImageToHardPrompt, PromptMixer, PromptRanker, TokenViewer]


async def comfy_entrypoint() -> PezExtension:
    add_routes()
    return PezExtension()
