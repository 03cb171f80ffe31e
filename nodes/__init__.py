"""The nodes of this pack for ComfyUI's V3 interface, one file each."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io


class PezExtension(ComfyExtension):
    """What ComfyUI asks for the pack's nodes."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return []


async def comfy_entrypoint() -> PezExtension:
    return PezExtension()
