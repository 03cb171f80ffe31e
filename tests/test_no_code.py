"""No code from data: whatever a model's folder says, loading it runs no code of the folder, starts
no program, reads no pickle and asks no network."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import ROOT, environment
from tests.support.folders import CONFIG, open_clip_folder
from tests.support.tiny_pipeline import save_pipeline
from tests.support.trap import MARK
from training.instructed import train

CODE = f"# {MARK}\nclass Evil:\n    pass\n"


class Evil:
    """Code in a pickle."""

    def __reduce__(self) -> tuple[Any, tuple[str, ...]]:
        return (eval, ("1",))


def change(path: Path, **entries: Any) -> None:
    """Changes entries of a JSON file; those that are None are left out."""
    values = {**(json.loads(path.read_text()) if path.exists() else {}), **entries}
    path.write_text(json.dumps({k: v for k, v in values.items() if v is not None}))


def evil_files(folder: Path) -> None:
    """Code and pickles under every name that a library may look for."""
    folder.mkdir(exist_ok=True)
    for name in ("evil.py", "pipeline.py", "modeling_evil.py", "evil.txt", "generate.py"):
        (folder / name).write_text(CODE)
    for name in ("pytorch_model.bin", "diffusion_pytorch_model.bin", "model.pt"):
        (folder / name).write_bytes(pickle.dumps(Evil()))


def vision(**entries: Any) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        named = {
            k: v.replace("HERE", str(folder)) if isinstance(v, str) else v
            for k, v in entries.items()
        }
        model = {**CONFIG, "vision_cfg": {"image_size": 32, **named}}
        change(folder / "open_clip_config.json", model_cfg=model)
        change(folder / "config.json", architecture="resnet18", num_features=512)

    return write


def text(**entries: Any) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        model = {**CONFIG, "text_cfg": {**CONFIG["text_cfg"], **entries}}
        change(folder / "open_clip_config.json", model_cfg=model)

    return write


def config(name: str = "config.json", **entries: Any) -> Callable[[Path], None]:
    return lambda folder: change(folder / name, **entries)


def adapter(folder: Path) -> None:
    change(folder / "adapter_config.json", peft_type="LORA", base_model_name_or_path="evil/base")


def adapter_alone(folder: Path) -> None:
    adapter(folder)
    (folder / "config.json").unlink()


def pickle_alone(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def pickle_named_safetensors(folder: Path) -> None:
    for path in folder.glob("*.safetensors"):
        path.write_bytes(pickle.dumps(Evil()))


def unet(folder: Path) -> None:
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()


def part(library: str, kind: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        change(folder / "model_index.json", unet=[library, kind])
        (folder / "unet" / f"{library}.py").write_text(CODE)

    return write


MAP = {"AutoConfig": "evil.Evil", "AutoModel": "evil.Evil", "AutoModelForCausalLM": "evil.Evil",
       "AutoTokenizer": ["evil.Evil", "evil.Evil"]}  # fmt: skip
HUB = {"AutoModelForCausalLM": "evil/repository--evil.Evil"}
TIMM = {"architecture": "hf-hub:evil/model", "model_type": "timm_wrapper"}
BACKBONE = {"backbone": "resnet18", "use_timm_backbone": True, "use_pretrained_backbone": True}
# The loader, what is hostile in the folder, and how loading it ends.
CASES: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "a timm model of the hub": ("clip", vision(timm_model_name="hf-hub:evil/model"), "refused"),
    "a timm model of a folder": ("clip", vision(timm_model_name="local-dir:HERE"), "refused"),
    "a timm model of the hub, pretrained": (
        "clip", vision(timm_model_name="hf-hub:evil/model", timm_model_pretrained=True), "refused",
    ),
    "a timm model of a folder, pretrained": (
        "clip", vision(timm_model_name="local-dir:HERE", timm_model_pretrained=True), "refused",
    ),
    "timm's own weights": (
        "clip", vision(timm_model_name="resnet18", timm_model_pretrained=True), "refused",
    ),
    "timm's own weights of a tag": (
        "clip", vision(timm_model_name="resnet18.a1_in1k", timm_model_pretrained=True), "refused",
    ),
    "a text encoder of the hub": ("clip", text(hf_model_name="evil/model"), "refused"),
    "a tokeniser of the hub": ("clip", text(hf_tokenizer_name="evil/model"), "refused"),
    "an unknown entry": ("clip", vision(hf_model_name="evil/model"), "refused"),
    "a CLIP in a pickle": ("clip", pickle_named_safetensors, "refused"),
    "a language model with code": ("language", config(model_type="evil", auto_map=MAP), "refused"),
    "a language model with code beside": ("language", config(auto_map=MAP), "loaded"),
    "code in another repository": ("language", config(auto_map=HUB), "loaded"),
    "a tokenizer with code": (
        "language", config("tokenizer_config.json", tokenizer_class="Evil", auto_map=MAP), "",
    ),
    "an adapter": ("language", adapter, "refused"),
    "an adapter alone": ("language", adapter_alone, "refused"),
    "quantised weights": (
        "language", config(quantization_config={"quant_method": "fp8"}), "refused",
    ),
    "a kernel of the hub": ("language", config(attn_implementation="evil/kernel"), "refused"),
    "a kernel of the hub, nested": (
        "language", config(text_config={"_attn_implementation": "evil/kernel"}), "refused",
    ),
    "a backbone of timm": ("language", config(**BACKBONE), "refused"),
    "a language model in a pickle": ("language", pickle_alone, "refused"),
    "a pickle named safetensors": ("language", pickle_named_safetensors, "refused"),
    "generation with code": (
        "language", config("generation_config.json", custom_generate="evil/repository"), "",
    ),
    "a sentence encoder with code": ("sentence", config(auto_map=MAP), "refused"),
    "a sentence encoder of timm": ("sentence", config(**TIMM), "refused"),
    "a sentence encoder of another kind": (
        "sentence", config(model_type="detr", **BACKBONE), "refused",
    ),
    "a pipeline with code": (
        "pipeline", config("model_index.json", _class_name=["pipeline", "Evil"]), "refused",
    ),
    "a pipeline of the hub": (
        "pipeline", config("model_index.json", _class_name="evil/pipeline"), "refused",
    ),
    "a custom pipeline": (
        "pipeline", config("model_index.json", custom_pipeline="evil/pipeline"), "refused",
    ),
    "a part with code": ("pipeline", part("evil", "Evil"), "refused"),
    "a part of a module of the machine": ("pipeline", part("subprocess", "Popen"), "refused"),
    "a part with code under a known name": (
        "pipeline", part("diffusers", "UNet2DConditionModel"), "refused",
    ),
    "a part in a pickle": ("pipeline", unet, "refused"),
    "a text encoder with a kernel": (
        "pipeline", config("text_encoder/config.json", attn_implementation="evil/x"), "refused",
    ),
    "a text encoder with code": (
        "pipeline", config("text_encoder/config.json", auto_map=MAP), "refused",
    ),
    "a text encoder that is quantised": (
        "pipeline",
        config("text_encoder/config.json", quantization_config={"quant_method": "fp8"}), "refused",
    ),
}  # fmt: skip
# What goes into the trap without the checks.
CONTROLS: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "pretrained in open_clip": (
        "open_clip_alone",
        vision(timm_model_name="hf-hub:evil/model", timm_model_pretrained=True), "socket.|http",
    ),
    "code in transformers": (
        "transformers_alone", config(model_type="evil", auto_map=MAP), "code of the folder",
    ),
    "torch.load": ("pickled", lambda folder: None, "torch.load"),
    "an import": ("imported", lambda folder: None, "code of the folder"),
    "a program": ("run_program", lambda folder: None, "subprocess.Popen"),
    "a text that is run": ("evaluated", lambda folder: None, "code of the folder"),
    "the network": ("asked_for", lambda folder: None, "urllib.Request"),
}  # fmt: skip
ALL = {**CASES, **CONTROLS}
KIND = {"clip": "clip", "open_clip_alone": "clip", "pipeline": "pipeline"}  # others: a GPT-2


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """How every case ended, all in one process."""
    root = tmp_path_factory.mktemp("hostile")
    open_clip_folder(root / "clip")
    train(root / "language", seed=1, steps=1, vocabulary=420)
    save_pipeline(root / "pipeline")
    cases = []
    for number, (loader, write, _) in enumerate(ALL.values()):
        folder = root / str(number)
        shutil.copytree(root / KIND.get(loader, "language"), folder)
        evil_files(folder)
        if loader == "pipeline":
            evil_files(folder / "unet")
            evil_files(folder / "text_encoder")
        write(folder)
        cases.append((loader, str(folder)))
    # With the network on, but an empty cache and no address that exists.
    changed = {**environment(root / "cache"), "HF_ENDPOINT": "http://example.invalid"}
    del changed["HF_HUB_OFFLINE"]
    found = subprocess.run(
        [sys.executable, "-m", "tests.support.trap"], input=json.dumps(cases), env=changed,
        capture_output=True, text=True, timeout=900, check=False, cwd=ROOT,
    )  # fmt: skip
    lines = found.stdout.splitlines()
    assert len(lines) == len(ALL), found.stderr[-2000:]
    return dict(zip(ALL, map(json.loads, lines), strict=True))


@pytest.mark.parametrize("case", CASES)
def test_nothing_goes_into_the_trap(ends: dict[str, dict[str, Any]], case: str) -> None:
    """And the loading ends as an error of ours, or with the model that its weights are."""
    _, _, expected = CASES[case]
    found = ends[case]
    assert not found["caught"], found
    assert found["end"] in ((expected,) if expected else ("loaded", "refused")), found
    if found["end"] == "refused":
        assert "\n" not in found["message"] and os.sep in found["message"]


@pytest.mark.parametrize("case", CONTROLS)
def test_the_trap_works(ends: dict[str, dict[str, Any]], case: str) -> None:
    """The same things, done without the checks, are caught."""
    _, _, expected = CONTROLS[case]
    found = ends[case]
    assert any(part in what for part in expected.split("|") for what in found["caught"]), found
    assert found["end"] == "Trapped", found


def test_a_pickle_of_the_folders_would_run() -> None:
    assert pickle.loads(pickle.dumps(Evil())) == 1
