"""ComfyUI's door to this pack: the folder of the front end and the entry point. Nothing else."""

WEB_DIRECTORY = "./web"

if __package__:  # empty when pytest 8 or newer imports this file as a bare "__init__" module
    from .nodes import comfy_entrypoint

    __all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]
