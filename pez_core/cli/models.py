"""`pez models`: lists the presets and explains how to name any other model."""

from __future__ import annotations

import argparse
from typing import Any

from .output import write_result

_OTHERS = """
Any other CLIP with the standard text encoder:
  NAME:TAG   of open_clip, such as ViT-B-32:laion2b_s34b_b79k, downloaded once
  NAME:FILE  a safetensors file of that architecture: ViT-L-14-quickgelu:clip_l.safetensors
  FILE       a safetensors file with its config.json in the same folder
  FOLDER     open_clip_config.json and open_clip_model.safetensors,
             or config.json and model.safetensors

Several models: one prompt is learned for all of them, by the mean of their similarities.
  A+B        any of the names above, such as sdxl-l+sdxl-g
  A@2+B      A counts twice as much
If a file or folder has a + in its name, the name means that file or folder. It cannot be part of a
sum.

A learned prompt reaches a picture only as far as the painter reads it with CLIP. Stable Diffusion
1.x, 2.x and SDXL read all of it, SD 3.5 a part, and Flux.1 only one pooled vector. It does not
reach painters whose text encoder is a language model, such as Flux.2 and Qwen-Image.
"""


def add_parser(verbs: Any, name: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, allow_abbrev=False, help="list the models and explain how to name others"
    )
    return parser


def run(arguments: argparse.Namespace) -> int:
    from ..clip.model_names import PRESETS
    from ..hub.download import placed_by_hand

    lines = []
    for name, preset in PRESETS.items():
        where = preset.source or "embedded"
        if ":" in where and placed_by_hand(*where.split(":")).is_file():
            where += " (placed by hand)"
        lines.append(f"{name:8} {where:36} {preset.about}")
    write_result("\n".join([*lines, _OTHERS.rstrip("\n")]))
    return 0
