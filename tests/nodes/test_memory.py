"""Models under ComfyUI's memory management: built once, moved away and back, dropped at last; and a
search within the memory there is."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from typing import Any

import pytest
import torch

from pez_core import PRESETS, ClipModel, SearchConfig
from pez_core.clip.model_names import find_model
from tests.support.nodes_support import DEMO, Comfy, example, image_of

pytest_plugins = ("tests.support.nodes_fixtures",)


@pytest.fixture
def built(comfy: Comfy, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a tower was read from its file."""
    count = Counter[str]()

    def counted(name: str, true: Any) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            count[name] += 1
            return true(*args, **options)

        return call

    for file, name in (("encoder", "read_model"), ("vision", "load_image_tower")):
        module = comfy.module(f"nodes.models.{file}")
        monkeypatch.setattr(module, name, counted(name, getattr(module, name)))
    return count


def modules(comfy: Comfy) -> list[torch.nn.Module]:
    """What is on the device."""
    return [item.model.model for item in comfy.mm.current_loaded_models]


def frozen(comfy: Comfy) -> bool:
    """Whether a tower holds a tensor that autograd cannot save."""
    text, image = comfy.module("nodes.models.encoder"), comfy.module("nodes.models.vision")
    held = [*text.TEXT_TOWERS, *image.IMAGE_TOWERS]
    return any(p.is_inference() for module in held for p in module.parameters())


def test_a_second_run_reads_nothing(comfy: Comfy, built: Counter[str]) -> None:
    """Nor does another node with the same model."""
    comfy.learn(image_of(example()))
    assert built == {"read_model": 1, "load_image_tower": 1}
    comfy.learn(image_of(example()), seed=3, text_targets="a cat")
    comfy.mix(prompt_1="a cat", image_1=image_of(example()))
    comfy.view(prompt="a cat", model=DEMO, image=image_of(example()))
    assert built == {"read_model": 1, "load_image_tower": 1}


def test_both_towers_are_comfyuis_to_move(comfy: Comfy) -> None:
    comfy.learn(image_of(example()))
    assert len(modules(comfy)) == 2
    assert not any(p.requires_grad for module in modules(comfy) for p in module.parameters())


def test_a_run_after_comfyui_has_moved_the_models(comfy: Comfy, built: Counter[str]) -> None:
    """Another node's turn moves them in inference mode, which leaves tensors that autograd cannot
    save: made normal again, and the result is the same."""
    expected = comfy.learn(image_of(example())).result[:2]
    with torch.inference_mode():
        comfy.mm.unload_all_models()
    assert modules(comfy) == [] and frozen(comfy)
    assert comfy.learn(image_of(example())).result[:2] == expected
    assert not frozen(comfy)
    viewed = comfy.view(prompt="a cat", model=DEMO).ui["pez"][0]["words"]
    with torch.inference_mode():
        comfy.mm.free_memory(1e30, comfy.mm.get_torch_device())
    assert comfy.view(prompt="a cat", model=DEMO).ui["pez"][0]["words"] == viewed
    assert built == {"read_model": 1, "load_image_tower": 1}


def test_weights_that_were_changed_where_they_are(comfy: Comfy) -> None:
    """In inference mode, and ComfyUI takes them for loaded: nothing is left of that either."""
    expected = comfy.learn(image_of(example())).result[:2]
    with torch.inference_mode():
        for item in comfy.mm.current_loaded_models:
            item.model.move()
    assert len(modules(comfy)) == 2 and frozen(comfy)
    assert comfy.learn(image_of(example())).result[:2] == expected
    assert not frozen(comfy)


def test_a_device_with_room_for_one_tower(comfy: Comfy, built: Counter[str]) -> None:
    """The towers take turns on it."""
    expected = comfy.learn(image_of(example()), text_targets="a cat").result[:2]
    comfy.mm.memory = max(item.model.model_size() for item in comfy.mm.current_loaded_models)
    with torch.inference_mode():
        comfy.mm.unload_all_models()
    for _ in range(2):
        assert comfy.learn(image_of(example()), text_targets="a cat").result[:2] == expected
        assert len(modules(comfy)) == 1
    assert built == {"read_model": 1, "load_image_tower": 1}


def test_the_search_asks_for_what_it_needs(comfy: Comfy) -> None:
    """More than the swaps tried in a refinement take, and more for many restarts; the picture is
    encoded without."""
    comfy.learn(image_of(example()), tokens=4)
    picture, search = comfy.mm.asked
    needs, arch = comfy.module("nodes.models.memory").search_memory, find_model("demo").arch
    config = PRESETS["default"].replace(restarts=2, steps=5)
    assert picture == 0 and search == needs(arch, config, 6, 4)
    swaps_tried = 4 * 16  # texts of 6 tokens at least, each token with an MLP's 4 widths in float32
    assert swaps_tried * 6 * 4 * arch.width * 4 < search < 2**30
    assert needs(arch, config.replace(restarts=4000), 6, 4) > 5 * search


def test_of_each_kind_two_are_kept(comfy: Comfy) -> None:
    """The third one's build comes after the first is gone, for building takes memory itself."""
    memory = comfy.module("nodes.models.memory")
    cache, gone = memory.LRUCache(), list[str]()

    def build(name: str) -> Any:
        def made() -> torch.nn.Module:
            module = torch.nn.Linear(1, 1)
            weakref.finalize(module, gone.append, name)
            seen[name] = list(gone)
            return module

        return made

    seen: dict[str, list[str]] = {}
    for name in ("a", "b", "a", "c"):
        with torch.inference_mode():
            module = memory.load(cache.get(name, build(name)))
        assert not module.weight.is_inference()
        del module
        gc.collect()
    assert seen == {"a": [], "b": [], "c": ["b"]} and gone == ["b"]
    assert len([item for item in comfy.mm.current_loaded_models if item.model]) == 2


def test_a_copy_goes_when_what_it_copies_is_gone(comfy: Comfy) -> None:
    cache = comfy.module("nodes.models.memory").LRUCache()
    owner = torch.nn.Linear(1, 1)
    first = cache.get("key", lambda: torch.nn.Linear(1, 1), owner)
    assert cache.get("key", lambda: torch.nn.Linear(1, 1), owner) is first
    del owner
    gc.collect()
    assert cache.get("key", lambda: torch.nn.Linear(1, 1)) is not first
    assert len(cache) == 1


def test_a_tower_as_a_module_is_the_tower(comfy: Comfy, demo: ClipModel) -> None:
    """Flat, frozen, without a copy when it is used, and what moves the module moves the tower."""
    memory = comfy.module("nodes.models.memory")
    tower = comfy.module("pez_core.clip.models").load_model("demo").tower
    held = memory.TowerModule(tower)
    ids = [[49406, 320, 2368, 49407]]
    assert torch.equal(held.tower().encode_ids(ids), demo.tower.encode_ids(ids))
    pointers = {parameter.data_ptr() for parameter in held.parameters()}
    assert held.tower().token_embedding.data_ptr() in pointers
    assert held.tower().blocks[-1].fc_bias.data_ptr() in pointers
    assert len(pointers) == 5 + 12 * len(tower.blocks)
    assert not any(parameter.requires_grad for parameter in held.parameters())
    held.to(torch.float64)
    assert {p.dtype for p in (held.tower().text_projection, held.tower().blocks[0].qkv_weight)} == {
        torch.float64
    }


class Device:
    """Stands in for the search on a device with room for so many restarts."""

    def __init__(self, comfy: Comfy, restarts: int, error: Exception) -> None:
        self._true = comfy.module("nodes.run.learning").learn_prompt
        self.tried: list[int] = []
        self._room, self._error = restarts, error

    def learn_prompt(self, *args: Any, config: SearchConfig, **options: Any) -> Any:
        self.tried.append(config.restarts)
        if config.restarts > self._room:
            raise self._error
        return self._true(*args, config=config, **options)


NO_MEMORY = [
    torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate\nand more"),
    RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
    RuntimeError("HIP Out Of Memory"),
]


@pytest.mark.parametrize("error", NO_MEMORY, ids=lambda e: str(e)[:3])
def test_without_memory_fewer_restarts_are_used(
    comfy: Comfy, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A note tells the user. The result equals that of a run with as many restarts."""
    expected = comfy.learn(image_of(example()), restarts=2)
    device = Device(comfy, 2, error)
    monkeypatch.setattr(comfy.module("nodes.run.learning"), "learn_prompt", device.learn_prompt)
    out = comfy.learn(image_of(example()), restarts=11)
    assert device.tried == [11, 5, 2]
    assert out.result[:2] == expected.result[:2]
    note = out.ui["pez"][0]["note"]
    assert "out of memory" in note and "11 restarts" in note and "2 were used" in note


def test_no_memory_even_for_one_restart(comfy: Comfy, monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device(comfy, 0, NO_MEMORY[0])
    with monkeypatch.context() as patch:
        patch.setattr(comfy.module("nodes.run.learning"), "learn_prompt", device.learn_prompt)
        with pytest.raises(
            comfy.errors.SearchError, match="not have enough memory.*Tried.*smaller"
        ):
            comfy.learn(image_of(example()), restarts=4)
    assert device.tried == [4, 2, 1]
    assert comfy.learn(image_of(example())).ui["pez"][0]["note"] == ""


def test_another_error_is_not_a_lack_of_memory(
    comfy: Comfy, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = Device(comfy, 0, RuntimeError("CUDA error: device-side assert triggered"))
    monkeypatch.setattr(comfy.module("nodes.run.learning"), "learn_prompt", device.learn_prompt)
    with pytest.raises(RuntimeError, match="device-side assert"):
        comfy.learn(image_of(example()), restarts=4)
    assert device.tried == [4]


def test_cancelling_takes_effect_between_the_attempts(
    comfy: Comfy, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = Device(comfy, 0, NO_MEMORY[0])
    monkeypatch.setattr(comfy.module("nodes.run.learning"), "learn_prompt", device.learn_prompt)
    comfy.mm.interrupt_after = 5  # look, the picture, load, the first attempt, the second
    with pytest.raises(comfy.mm.InterruptProcessingException):
        comfy.learn(image_of(example()), restarts=16)
    assert device.tried == [16]
