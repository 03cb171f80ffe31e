"""The pack's models under ComfyUI's memory management."""

from __future__ import annotations

from typing import Any

import pytest

from tests.comfyui.client import Client
from tests.comfyui.graphs import CLIP_L_CHOICE, learn, node, picture

pytestmark = pytest.mark.comfyui


def memory(client: Client) -> dict[str, Any]:
    run = client.run({"memory": node("Other_Memory")})
    assert run.succeeded, run.ending
    return dict(run.output("memory")["report"][0])


def ours(found: dict[str, Any]) -> list[str]:
    """The loaded models whose class is the pack's, or open_clip's, which only the pack uses."""
    pairs = zip(found["models"], found["modules"], strict=True)
    return [name for name, module in pairs if "pez-prompts" in module or "open_clip" in module]


def free(client: Client) -> dict[str, Any]:
    """ComfyUI's "Unload models", which its worker does between two prompts; the memory after it."""
    client.post("/free", {"unload_models": True, "free_memory": True})
    memory(client)  # the worker may have been about to begin this one when it was asked
    return memory(client)


def learned(client: Client, **changes: Any) -> None:
    run = client.run({"picture": picture(), "learner": learn(["picture", 0], **changes)}, 300)
    assert run.succeeded, run.ending


def test_free_unloads_the_models_of_the_pack(client: Client) -> None:
    """They are in ComfyUI's list while it may need their room, and out of it after /free; the
    next run loads them again."""
    learned(client, model=CLIP_L_CHOICE, seed=21)
    before = memory(client)
    assert ours(before), before
    after = free(client)
    assert not ours(after), after
    print(f"{before['resident']:.0f} MiB before /free, {after['resident']:.0f} MiB after it")
    learned(client, model=CLIP_L_CHOICE, seed=22)
    assert ours(memory(client))


def test_many_runs_take_no_more_memory(client: Client) -> None:
    for seed in range(100, 104):
        learned(client, seed=seed)
    start = memory(client)["resident"]
    for seed in range(104, 116):
        learned(client, seed=seed)
    end = memory(client)["resident"]
    print(f"{start:.0f} MiB, after 12 more runs {end:.0f} MiB")
    assert end - start < 60


def test_a_model_of_true_size_is_held_once(client: Client) -> None:
    """Run after run with the same file: no second copy."""
    learned(client, model=CLIP_L_CHOICE, seed=31)
    start = memory(client)
    for seed in (32, 33):
        learned(client, model=CLIP_L_CHOICE, seed=seed)
    end = memory(client)
    assert ours(end) == ours(start)
    assert end["resident"] - start["resident"] < 250
