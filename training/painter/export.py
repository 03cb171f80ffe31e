"""Writes a trained painter's denoiser for the package: fp16 safetensors and its configuration.

    python -m training.painter.export --checkpoint DIR/painter.ckpt \\
        --config training/configs/painter.json --out pez_core/demo_painter

With `--pipeline` it writes a whole pipeline in diffusers' layout, for a painter that is not in the
package.
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

import torch
from safetensors.torch import save_file

from pez_core.painter.demo import WEIGHTS, build_pipeline
from pez_core.painter.denoiser import PatchDenoiser

from ..export import replace_with
from .config import ROOT, load_painter_config

log = logging.getLogger(__name__)


def export(checkpoint: Path, config: Path, out: Path, whole: bool = False) -> None:
    """Write the moving average of the weights, or the whole pipeline around them.

    Raises ValueError for a weight that fp16 cannot hold.
    """
    run = load_painter_config(config)
    settings = run.model
    state = torch.load(checkpoint, weights_only=True, map_location="cpu")
    model = PatchDenoiser(**settings)
    model.load_state_dict(state["average"])
    half = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    for name, value in half.items():
        if not torch.isfinite(value).all():
            raise ValueError(f"{name} does not fit into fp16; lower the learning rate")
    if whole:
        model.load_state_dict(half)  # the same rounded weights, in float32
        build_pipeline(model, ROOT / run.clip).save_pretrained(out)
        return
    out.mkdir(parents=True, exist_ok=True)
    replace_with(out / WEIGHTS, lambda path: save_file(half, path, metadata={"format": "pt"}))
    entries = {"_class_name": "PatchDenoiser", **settings}
    text = json.dumps(entries, indent=2) + "\n"
    replace_with(out / "config.json", lambda path: path.write_text(text, encoding="utf-8"))
    log.info("step %d: %.1f MB", state["step"], (out / WEIGHTS).stat().st_size / 1e6)


def main() -> None:
    """Write the packaged files from the checkpoint of a run."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pipeline", action="store_true", help="write a whole pipeline")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    export(arguments.checkpoint, arguments.config, arguments.out, arguments.pipeline)


if __name__ == "__main__":
    main()
