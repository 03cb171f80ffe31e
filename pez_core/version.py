"""The version, as pyproject.toml has it: ComfyUI reads it there, and a test compares the two."""

__version__ = "0.4.0"
