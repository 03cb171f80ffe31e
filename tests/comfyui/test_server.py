"""The stage on which the other tests play: the server, the packs, the model files."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.comfyui.checkpoint import CHECKPOINT, CLIP_L, CLIP_L_BARE, LORA
from tests.comfyui.client import Client, Prompt, RefusedError
from tests.comfyui.graphs import checkpoint, clip_file, node, painted, with_lora
from tests.comfyui.server import Server, tail

pytestmark = pytest.mark.comfyui


def report(client: Client, prompt: Prompt, probe: str = "probe") -> dict[str, Any]:
    """What a probe of other-pack found."""
    run = client.run(prompt)
    assert run.succeeded, run.ending
    return dict(run.output(probe)["report"][0])


def test_the_packs_are_loaded_once_and_without_an_error(server: Server) -> None:
    lines = tail(server.log, most=10**7).splitlines()
    errors = [line for line in lines if "comfy_entrypoint" in line or "(IMPORT FAILED)" in line]
    assert not errors
    timed = [line for line in lines if " seconds: " in line]
    assert sorted(line.rpartition("/")[2] for line in timed) == ["other-pack", "pez-prompts"]


def test_every_node_of_the_pack_is_offered(client: Client) -> None:
    ours = {name for name in client.get("/object_info") if name.startswith("PEZ_")}
    assert ours == {
        "PEZ_ImageToHardPrompt", "PEZ_PromptMixer", "PEZ_PromptRanker", "PEZ_TokenViewer",
    }  # fmt: skip


def test_another_pack_keeps_its_own_pez_core(client: Client) -> None:
    """Though it asks for it at top level, after our pack was imported."""
    found = report(client, {"probe": node("Other_Owner")})
    assert set(found["top_level"]) == {"other-pack"} and found["relative"] == "other-pack"


def test_the_model_files_are_found_through_the_extra_paths(client: Client) -> None:
    info = client.get("/object_info")
    for kind, name, file in (
        ("CheckpointLoaderSimple", "ckpt_name", CHECKPOINT),
        ("CLIPLoader", "clip_name", CLIP_L),
        ("CLIPLoader", "clip_name", CLIP_L_BARE),
        ("CLIPVisionLoader", "clip_name", CLIP_L),
        ("LoraLoader", "lora_name", LORA),
    ):
        assert file in info[kind]["input"]["required"][name][0]


def test_the_checkpoint_paints(client: Client, server: Server) -> None:
    """Two texts give two pictures with some content: text encoder, UNet and VAE all work."""
    pictures = []
    for text in ("a red cat", "blue mountains at night"):
        positive = node("CLIPTextEncode", clip=["checkpoint", 1], text=text)
        run = client.run(
            {"checkpoint": checkpoint(), "positive": positive, **painted(["positive", 0])}
        )
        assert run.succeeded, run.ending
        file = run.output("saved")["images"][0]
        content = (server.folder("output") / file["filename"]).read_bytes()
        pictures.append(np.asarray(Image.open(io.BytesIO(content)), dtype=float))
    assert pictures[0].shape == (64, 64, 3)
    assert all(picture.std() > 5 for picture in pictures)
    assert np.abs(pictures[0] - pictures[1]).mean() > 1


def test_the_lora_changes_the_conditioning(client: Client) -> None:
    graph = {
        "checkpoint": checkpoint(),
        "lora": with_lora(["checkpoint", 1]),
        "with": node("CLIPTextEncode", clip=["lora", 1], text="a red cat"),
        "without": node("CLIPTextEncode", clip=["checkpoint", 1], text="a red cat"),
        "file": node("CLIPTextEncode", clip=["loader", 0], text="a red cat"),
        "loader": clip_file(),
    }
    found = {
        name: np.array(
            report(client, {**graph, "probe": node("Other_Conditioning", conditioning=[name, 0])})[
                "first"
            ]
        )
        for name in ("with", "without", "file")
    }
    assert np.abs(found["with"] - found["without"]).max() > 0.1
    assert np.abs(found["file"] - found["without"]).max() < 1e-6  # the same encoder in two files


def test_an_invalid_prompt_is_refused(client: Client) -> None:
    with pytest.raises(RefusedError, match="value_not_in_list"):
        client.queue({"1": node("CheckpointLoaderSimple", ckpt_name="none"), "2": node(
            "Other_Conditioning", conditioning=["3", 0]
        ), "3": node("CLIPTextEncode", clip=["1", 1], text="")})  # fmt: skip


def test_the_server_knows_what_a_loader_paints_with(client: Client) -> None:
    """Before anything runs; the page asks so when a graph changes."""

    def asked(values: list[str], model: str) -> Any:
        return client.post("/pez/painter", {"loaders": [values], "model": model})

    known = {"painter": "SD 1.5", "model": "SD 1.5"}
    assert asked([CHECKPOINT], "SD 1.5") == {**known, "fits": True, "here": False}
    assert asked([CHECKPOINT, "default"], "SDXL") == {**known, "fits": False, "here": False}
    assert asked([CLIP_L, "stable_diffusion"], f"text_encoders/{CLIP_L}")["fits"]
    assert asked(["gone.safetensors"], "SDXL")["painter"] is None
    with pytest.raises(RefusedError, match="send"):
        client.post("/pez/painter", {"loaders": 1})
