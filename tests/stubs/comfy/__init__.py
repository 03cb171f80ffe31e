"""A stand-in for ComfyUI's package of the same name, for tests without ComfyUI."""
