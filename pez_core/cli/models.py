"""`pez models`: the presets, and how to name any other model."""

from __future__ import annotations

import argparse
from typing import Any

from ..clip.model_names import PRESETS
from ..hub.download import placed_by_hand

_OTHERS = """
Any other CLIP with the standard text encoder:
  NAME:TAG   of open_clip, such as ViT-B-32:laion2b_s34b_b79k, downloaded once
  NAME:FILE  a safetensors file of that architecture: ViT-L-14-quickgelu:clip_l.safetensors
  FILE       a safetensors file with its config.json beside it
  FOLDER     open_clip_config.json and open_clip_model.safetensors,
             or config.json and model.safetensors

Several at once: one prompt for all of them, by the mean of their similarities.
  A+B        any of the names above, such as sdxl-l+sdxl-g
  A@2+B      A counts twice as much
A file or folder that is there keeps the + in its name, but cannot stand in such a sum.
"""


def add_parser(verbs: Any, name: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, allow_abbrev=False, help="list the models and say how to name others"
    )
    return parser


def run(arguments: argparse.Namespace) -> int:
    for name, preset in PRESETS.items():
        where = preset.source or "embedded"
        if ":" in where and placed_by_hand(*where.split(":")).is_file():
            where += " (placed by hand)"
        print(f"{name:8} {where:36} {preset.about}")
    print(_OTHERS, end="")
    return 0
