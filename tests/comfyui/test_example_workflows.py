"""Every workflow that comes with the pack runs, as saved, with small stand-ins for the models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.comfyui.checkpoint import CHECKPOINT, CLIP_L, LORA
from tests.comfyui.client import Client, Prompt
from tests.comfyui.graphs import CLIP_L_CHOICE, DEMO, LEARN, MIX, RANK, VIEW
from tests.comfyui.workflow import to_prompt
from tests.support.payloads import assert_learned, assert_viewed

pytestmark = pytest.mark.comfyui

FOLDER = Path(__file__).resolve().parents[2] / "example_workflows"
FILES = {"ckpt_name": CHECKPOINT, "clip_name": CLIP_L, "lora_name": LORA}
SMALL: dict[str, Any] = {"width": 64, "height": 64, "batch_size": 1}
PARTS = {"UNETLoader": 0, "CLIPLoader": 1, "VAELoader": 2}  # outputs of a checkpoint's loader
# Text encoders of several parts, by the field that gets the learned words. The stand-in has one.
FIELDS = {
    "CLIPTextEncodeFlux": "clip_l", "CLIPTextEncodeSD3": "clip_g", "CLIPTextEncodeSDXL": "text_g",
}  # fmt: skip
CAME_LATER = {"BatchImagesNode"}  # than the oldest ComfyUI


def fitted(prompt: Prompt) -> Prompt:
    """The prompt with models that are here, small paintings and short searches."""
    loaders = {key: node["class_type"] for key, node in prompt.items()
               if node["class_type"] in PARTS}  # fmt: skip
    for key in loaders:
        prompt[key] = {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": ""}}
    for node in prompt.values():
        for name, value in node["inputs"].items():
            if isinstance(value, list) and value[0] in loaders:
                node["inputs"][name] = [value[0], PARTS[loaders[value[0]]]]
        kind, inputs = node["class_type"], node["inputs"]
        inputs |= {name: file for name, file in FILES.items() if name in inputs}
        if kind in FIELDS:
            learned = inputs[FIELDS[kind]]
            assert isinstance(learned, list), "the learned words do not go there"
            node |= {"class_type": "CLIPTextEncode"}
            node |= {"inputs": {"clip": inputs["clip"], "text": learned}}
        elif kind in ("EmptyLatentImage", "EmptySD3LatentImage"):
            inputs |= SMALL
        elif kind == "KSampler":
            inputs["steps"] = 2
        elif kind in (LEARN, MIX):
            inputs |= {"model": DEMO, "preset": "fast"}
            if "clip" in inputs:  # of the stand-in; its CLIP lies beside it
                inputs |= {"model": CLIP_L_CHOICE}
                inputs |= {name: 2 for name in ("steps", "restarts") if name in inputs}
                inputs |= {"painter_edits": 0} if "painter" in inputs else {}  # see test_ranking
        elif kind == RANK:
            inputs |= {"rounds": 1, "size": 64}
        elif kind == VIEW and not inputs["model"].startswith("none"):
            inputs["model"] = DEMO
    return prompt


def assert_ranked(output: dict[str, Any]) -> None:
    (message,), (best,) = output["pez"], output["text"]
    assert message["kind"] == "ranking" and message["ranking"][0]["prompt"] == best
    assert len(message["ranking"]) > 3  # captions and learned words


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_an_example_workflow_runs(client: Client, path: Path) -> None:
    workflow, known = json.loads(path.read_text()), client.get("/object_info")
    missing = {node["type"] for node in workflow["nodes"]} & CAME_LATER - known.keys()
    if missing:
        pytest.skip(f"this ComfyUI is too old for {', '.join(missing)}")
    prompt = to_prompt(workflow, known)
    pictures = [node["inputs"]["image"] for node in prompt.values() if "LoadImage" in node.values()]
    assert pictures
    assert client.post("/pez/pictures", {"pictures": pictures}) == {"pictures": pictures}
    checks = {
        LEARN: assert_learned, MIX: assert_learned, VIEW: assert_viewed, RANK: assert_ranked,
    }  # fmt: skip
    ours = {key: node["class_type"] for key, node in prompt.items() if node["class_type"] in checks}
    assert ours, f"{path.name} shows no node of the pack"
    run = client.run(fitted(prompt))
    assert run.succeeded, run.ending
    for key, kind in ours.items():
        checks[kind](run.output(key))
