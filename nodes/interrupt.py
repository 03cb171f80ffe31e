"""ComfyUI's cancel button."""

from __future__ import annotations

import comfy.model_management as mm

INTERVAL = 0.35  # seconds between two messages about the progress


def check_cancelled() -> None:
    """Raises ComfyUI's interrupt when the user has cancelled."""
    mm.throw_exception_if_processing_interrupted()
