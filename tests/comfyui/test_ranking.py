"""The Prompt Ranker, with the model, the VAE and the text encoder of a graph."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.comfyui.checkpoint import CHECKPOINT, LORA
from tests.comfyui.client import Client, Prompt, Run
from tests.comfyui.graphs import (
    CLIP_L_CHOICE,
    checkpoint,
    clip_file,
    learn,
    node,
    picture,
    rank,
    text,
    view,
    with_lora,
)  # fmt: skip

pytestmark = pytest.mark.comfyui


@pytest.fixture(scope="module")
def families(checkout: Path, root: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.comfyui.families", str(checkout)],
        capture_output=True, text=True, cwd=root, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def graph(parts: Prompt | None = None, **changes: Any) -> Prompt:
    return {
        "picture": picture(), "checkpoint": checkpoint(),
        "ranker": rank(["picture", 0], **changes), **(parts or {}),
    }  # fmt: skip


def ranking(run: Run) -> dict[str, float]:
    """The errors by prompt, best first."""
    assert run.succeeded, run.ending
    (message,) = run.output("ranker")["pez"]
    assert message["schema"] == 1 and message["kind"] == "ranking"
    errors = {row["prompt"]: row["error"] for row in message["ranking"]}
    assert message["text"] == next(iter(errors))
    return errors


def test_the_same_seed_gives_the_same_errors(client: Client) -> None:
    """To the bit, whatever was loaded before; another seed, size or order does not matter or
    does."""
    first = ranking(client.run(graph()))
    assert set(first) == {"a red cat", "a blue dog"} and len(set(first.values())) == 2
    other = ranking(client.run(graph(seed=2)))
    assert other != first
    assert ranking(client.run(graph(prompts="a blue dog\na red cat"))) == first
    assert ranking(client.run(graph())) == first
    assert ranking(client.run(graph(size=128))) != first


def test_weights_in_a_prompt_count(client: Client) -> None:
    """It is read as CLIP Text Encode reads it."""
    found = ranking(client.run(graph(prompts="a red cat\na (red:1.5) cat")))
    assert len(set(found.values())) == 2


def test_learned_candidates_join_in_one_run(client: Client) -> None:
    parts = {
        "learner": learn(["picture", 0]),
        "seen": node("Other_Values", text=["ranker", 0]),
    }  # fmt: skip
    run = client.run(graph(parts, candidates=["learner", 3]))
    found = ranking(run)
    learned = {c["text"] for c in run.output("learner")["pez"][0]["candidates"]}
    assert {"a red cat", "a blue dog"} | learned == set(found)
    assert run.output("seen")["report"][0]["text"] == next(iter(found))


def test_the_best_prompt_is_edited(client: Client) -> None:
    """The edited prompt goes on into the graph; the ranking stays that of the given prompts."""
    parts = {"seen": node("Other_Values", text=["ranker", 0])}
    run = client.run(graph(parts, edits=2, rounds=4))
    assert run.succeeded, run.ending
    (message,) = run.output("ranker")["pez"]
    assert {row["prompt"] for row in message["ranking"]} == {"a red cat", "a blue dog"}
    edited = message["edited"]
    assert edited["reason"] in ("edits", "no better edit") and len(edited["edits"]) <= 2
    assert run.output("seen")["report"][0]["text"] == message["text"]
    again = client.run(graph(parts, edits=2, rounds=4, seed=1))
    assert again.output("ranker")["pez"][0]["edited"] == edited


def test_a_lora_on_the_model_changes_the_errors(client: Client) -> None:
    parts = {"lora": with_lora(["checkpoint", 1])}
    found = ranking(client.run(graph(parts, clip=["lora", 1])))
    assert found != ranking(client.run(graph()))


def test_a_lora_on_the_denoiser_changes_the_errors(client: Client) -> None:
    """The text encoder stays as it is."""
    lora = node("LoraLoaderModelOnly", model=["checkpoint", 0], lora_name=LORA, strength_model=1.0)
    found = ranking(client.run(graph({"lora": lora}, model=["lora", 0])))
    plain = ranking(client.run(graph()))
    assert found.keys() == plain.keys() and found != plain


def test_an_8_bit_model_has_errors_of_its_own(client: Client) -> None:
    """Near to those of the whole one, which has the same errors whatever loads it."""
    found = {}
    for dtype in ("default", "fp8_e4m3fn"):
        parts = {"unet": node("UNETLoader", unet_name=CHECKPOINT, weight_dtype=dtype)}
        found[dtype] = ranking(client.run(graph(parts, model=["unet", 0])))
    plain = ranking(client.run(graph()))
    assert found["default"] == plain
    assert found["fp8_e4m3fn"] != plain
    assert found["fp8_e4m3fn"] == pytest.approx(plain, rel=0.1)


def test_the_picture_is_painted_with_the_best(client: Client) -> None:
    """The output goes on into the graph, and the model still paints."""
    from tests.comfyui.graphs import painted

    parts = {
        "positive": node("CLIPTextEncode", clip=["checkpoint", 1], text=["ranker", 0]),
        **painted(["positive", 0]),
    }  # fmt: skip
    run = client.run(graph(parts))
    ranking(run)
    assert run.output("saved")["images"]


def test_an_interrupt_takes_effect_within_a_pass(client: Client) -> None:
    prompt_id = client.queue(graph(rounds=100, size=256, prompts="a\nb\nc\nd"))
    client.wait_for(lambda m: m.type == "pez.progress" and m.data["prompt_id"] == prompt_id)
    client.post("/interrupt", {})
    run = client.finish(prompt_id)
    assert run.ending.type == "execution_interrupted", run.ending


def test_use_best_so_far(client: Client) -> None:
    prompt_id = client.queue(graph(rounds=100, size=128, prompts="a\nb"))
    client.wait_for(lambda m: m.type == "pez.progress" and m.data["prompt_id"] == prompt_id)
    client.post("/pez/finish", {"node": "ranker", "prompt_id": prompt_id})
    run = client.finish(prompt_id)
    assert run.succeeded and run.output("ranker")["pez"][0]["stopped"] in ("stopped", "one left")


def test_what_is_missing_is_named(client: Client) -> None:
    run = client.run(graph(prompts=" "))
    assert "nothing to rank" in run.error


@pytest.mark.parametrize("family", ["SD15", "Flux", "ZImage", "QwenImage"])
def test_every_family_has_the_errors_of_a_plain_loop(families: dict[str, Any], family: str) -> None:
    """Whatever the architecture, the noise and the text encoder; order changes nothing."""
    if family not in families:
        pytest.skip(f"this ComfyUI has no {family}")
    found = families[family]
    for errors, plain in zip(found["errors"], found["plain"], strict=True):
        assert errors == pytest.approx(plain, rel=1e-5)
    assert found["again"] and found["errors"][1] != found["errors"][2]


def test_the_model_chooses_among_the_learned(client: Client) -> None:
    parts = {"picture": picture(), "checkpoint": checkpoint(), "clip": clip_file()}
    plain = learn(["picture", 0], model=CLIP_L_CHOICE, clip=["clip", 0], restarts=2)
    chooser = {"painter": ["checkpoint", 0], "vae": ["checkpoint", 2]}
    chosen = {**plain, "inputs": {**plain["inputs"], **chooser}}
    edited = {**chosen, "inputs": {**chosen["inputs"], "painter_edits": 2}}
    found = {}
    for name, learner in (("plain", plain), ("chosen", chosen), ("edited", edited)):
        run = client.run({**parts, "learner": learner})
        assert run.succeeded, run.ending
        (found[name],) = run.output("learner")["pez"]
    texts = {name: [c["text"] for c in m["candidates"]] for name, m in found.items()}
    assert sorted(texts["plain"]) == sorted(texts["chosen"])
    assert "chosen by the model you paint with" in found["chosen"]["note"]
    assert found["chosen"]["edited"] is None
    edits = found["edited"]["edited"]["edits"]
    assert texts["edited"][0] == (edits[-1]["prompt"] if edits else texts["chosen"][0])


def test_the_viewer_measures_words_as_the_ranker_measures_prompts(client: Client) -> None:
    """A word adds what the prompt's error is lower than without it."""
    parts = {
        "small": node("ImageScale", image=["picture", 0], upscale_method="area", width=64,
                      height=64, crop="disabled"),
        "text": text("a (red:1.5) cat"),
        "viewer": view(
            prompt=["text", 0], image=["small", 0], painter=["checkpoint", 0],
            vae=["checkpoint", 2], clip=["checkpoint", 1],
        ),
    }  # fmt: skip
    for name, prompt in (("ranker", "a (red:1.5) cat"), ("shorter", "a cat")):
        parts[name] = rank(["small", 0], prompts=prompt, rounds=4, seed=0, size=0)
    run = client.run(graph(parts))
    (whole,) = ranking(run).values()
    without = run.output("shorter")["pez"][0]["ranking"][0]["error"]
    (shown,) = run.output("viewer")["pez"]
    assert shown["error"] == pytest.approx(whole, abs=1e-6)
    (red,) = (word for word in shown["words"] if word["text"] == "red")
    assert red["tokens"][0]["contribution"] == pytest.approx(without - whole, abs=1e-6)
