"""ComfyUI runs its nodes under `torch.inference_mode()`: all works there as it does outside."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from pez_core import (
    ClipModel,
    SearchConfig,
    Targets,
    join_targets,
    learn_prompt,
    load_model,
    make_targets,
)

SHORT = SearchConfig(steps=5, restarts=3, rounds=1, swaps=3, patience=None)


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
def test_comfyuis_modes_change_nothing(mode: type, demo: ClipModel) -> None:
    """Loading, encoding and learning there give the result they give outside, also with tensors
    made on either side."""

    def targets_of(model: ClipModel) -> Targets:
        near = make_targets(model.encode_pictures([Image.new("RGB", (30, 40), "red")]))
        return join_targets([near, make_targets(model.encode_texts(["a smiling face"]), [-0.5])])

    before = targets_of(demo)
    expected = learn_prompt(demo, before, config=SHORT)
    with mode():
        model = load_model("demo")
        targets = targets_of(model)
        inside = learn_prompt(model, targets, config=SHORT)
        mixed = learn_prompt(demo, before, config=SHORT)
        assert learn_prompt(demo, targets, config=SHORT, dtype=torch.bfloat16).candidates
    outside = learn_prompt(model, targets, config=SHORT)
    for result in (inside, mixed, outside):
        assert result.candidates == expected.candidates


def test_tensors_from_inference_mode_are_taken(demo: ClipModel) -> None:
    """Features that another node made there, such as a CLIP vision output."""
    with torch.inference_mode():
        features = demo.encode_texts(["a red apple"]) * 1.0
        assert features.is_inference()
        targets = make_targets(features)
        moved = demo.to("cpu")
    for where in (targets, targets.to("cpu")):
        assert learn_prompt(moved, where, config=SHORT).candidates
