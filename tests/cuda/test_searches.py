"""On a GPU: features, searches and the command line give what they give on a CPU."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
import torch
from PIL import Image

from pez_core import (
    PRESETS,
    ClipModel,
    SearchConfig,
    learn_prompt,
    learn_prompts,
    load_model,
    make_mask,
    make_targets,
    open_picture,
)
from pez_core.batch.inverter import Inverter, Job
from pez_core.compute.precision import best_dtype
from pez_core.guard.guard import make_guard
from pez_core.search.cuda_graph import WARM_UP
from tests.support.commands import Pez

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def test_features_are_those_of_the_cpu(demo: ClipModel, root: Path) -> None:
    """Texts of several lengths, and pictures through the streamed image tower, to 1e-4."""
    texts = ["", "a dog", "a photo of a red car, parked", "watermelon " * 90]
    pictures = [open_picture(path) for path in sorted((root / "examples").glob("*.png"))[:3]]
    there = demo.to("cuda")
    for here, away in (
        (demo.encode_texts(texts), there.encode_texts(texts)),
        (demo.encode_pictures(pictures), there.encode_pictures(pictures)),
    ):
        assert away.device.type == "cuda"
        torch.testing.assert_close(away.cpu(), here, rtol=0, atol=1e-4)


@pytest.mark.parametrize("preset", ["fast", "default", "thorough"])
@pytest.mark.parametrize("name", ["demo", "both"])
def test_the_returned_similarities_are_those_of_the_texts(
    demo: ClipModel, name: str, preset: str, root: Path
) -> None:
    """Read again on the CPU, by one encoder and by two, with a guard and fluency."""
    here = demo if name == "demo" else load_model(f"demo+{root / 'benchmarks' / 'judge'}")
    there = here.to("cuda")
    targets = make_targets(there.encode_texts(["a red apple on a table"]))
    guard = make_guard(there, ["a tree"])
    config = PRESETS[preset].replace(fluency=0.003, rounds=2)
    result = learn_prompt(
        there, targets, config=config, guard=guard, dtype=best_dtype("cuda"), seed=3
    )
    again = here.encode_texts([candidate.text for candidate in result.candidates])
    similarities = (again @ targets.features.cpu().T).squeeze(1).tolist()
    assert similarities == pytest.approx([c.similarity for c in result.candidates], abs=1e-4)


def test_searches_side_by_side_are_those_alone(demo: ClipModel) -> None:
    model = demo.to("cuda")
    goals = [make_targets(row[None]) for row in model.encode_texts(["a cat", "a car", "a tree"])]
    config = SearchConfig(restarts=3)
    alone = [learn_prompt(model, goal, config=config).best for goal in goals]
    beside = dict(learn_prompts(model, goals, config=config, at_once=3))
    for number, best in enumerate(alone):
        found = beside[number]
        assert not isinstance(found, Exception)
        assert found.best.similarity == pytest.approx(best.similarity, abs=0.05)
        texts = [found.best.text, best.text]
        again = (model.encode_texts(texts) @ goals[number].features.T).squeeze(1).tolist()
        assert again == pytest.approx([found.best.similarity, best.similarity], abs=1e-5)


def test_a_folder_of_pictures(root: Path) -> None:
    job = Job("demo", "{6}", PRESETS["fast"], make_mask(load_model("demo").vocabulary))
    paths = sorted((root / "examples").glob("*.png"))[:4]
    pictures = [(path.name, partial(open_picture, path)) for path in paths]
    records = list(Inverter(job).records(pictures, concurrency=3))
    assert {record["picture"] for record in records} == {path.name for path in paths}
    assert all(record["settings"]["device"].startswith("cuda") for record in records)
    assert all(record["similarity"] > 0.1 for record in records)


def test_the_command_line_takes_the_device(pez: Pez, root: Path) -> None:
    code, out, _ = pez("invert", str(root / "examples" / "watermelon.png"), "--json")
    found = json.loads(out)
    assert code == 0 and found["settings"]["device"].startswith("cuda")
    assert found["settings"]["precision"] in ("bfloat16", "float16")
    assert "melon" in found["prompt"]


def test_a_stopped_search_leaves_no_memory(demo: ClipModel) -> None:
    """Ten searches, each ended at its fourth step, that is after its capture."""
    model = demo.to("cuda")
    targets = make_targets(model.encode_pictures([Image.new("RGB", (64, 64), "red")]))

    def search() -> None:
        def stop(info: object) -> bool:
            return getattr(info, "step", 0) < 2 + WARM_UP

        learn_prompt(model, targets, callback=stop, dtype=best_dtype("cuda"))

    search()
    before = torch.cuda.memory_allocated()
    for _ in range(10):
        search()
    assert torch.cuda.memory_allocated() <= before + 2**20
