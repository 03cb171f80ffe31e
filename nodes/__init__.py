"""The nodes of this pack for ComfyUI's V3 interface, one file each."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from .image_to_hard_prompt import ImageToHardPrompt
from .prompt_mixer import PromptMixer
from .run.live import add_route
from .token_viewer import TokenViewer


class PezExtension(ComfyExtension):
    """Returns the nodes of the pack to ComfyUI."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [ImageToHardPrompt, PromptMixer, TokenViewer]


async def comfy_entrypoint() -> PezExtension:
    add_route()
    return PezExtension()
