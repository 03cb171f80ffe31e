"""Evaluation as a library: noise, one model at a time, and what is judged."""

from __future__ import annotations

import gc
import json
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pez_core.batch.inverter import Inverter, Job
from pez_core.errors import ConfigError, ResultsError
from pez_core.evaluation import phases as phases_module
from pez_core.evaluation.folder import EvaluationFolder
from pez_core.evaluation.phases import check, phases
from pez_core.evaluation.plan import Plan, noise_seed
from pez_core.painter.denoising import PipelineErrors
from pez_core.painter.pipeline import Painter
from pez_core.painter.ranking import rank

pytest_plugins = ("tests.support.evaluation_fixtures",)
CPU = torch.device("cpu")


def test_noise_belongs_to_the_picture_and_the_number() -> None:
    """Methods share it; pictures, images and seeds do not; JSON readers keep it exactly."""
    seeds = {noise_seed(s, p, j) for s in (0, 1) for p in ("a.png", "b.png") for j in range(3)}
    assert len(seeds) == 12 and max(seeds) < 2**53
    assert noise_seed(0, "a.png", 1) == noise_seed(0, "a.png", 1)
    noise_seed(0, "bad\udcff.png", 0)  # a name that is not text


def run(plan: Plan, out: Path, again: bool = False) -> list[tuple[str, int, int]]:
    """Runs all phases; of each its noun, and how many it had to do of how many."""
    names = sorted(p.relative_to(plan.pictures).as_posix() for p in plan.pictures.rglob("*.png"))
    did = []
    with EvaluationFolder(out, plan) as folder:
        for phase in phases(plan, folder, names, again):
            done = list(phase.records(None))
            assert len(done) == phase.total - phase.before
            did.append((phase.noun, len(done), phase.total))
    return did


def test_one_model_at_a_time(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the painter is loaded no guide is left, when the judge is loaded neither."""
    from pez_core.evaluation import judging, painting

    towers: list[weakref.ref[Any]] = []

    def alive() -> list[str]:
        kinds = (Inverter, Painter)
        found = [type(o).__name__ for o in gc.get_objects() if type(o) in kinds]
        return found + ["a tower" for tower in towers if tower() is not None]

    seen = []
    for module, name in ((painting, "Painter"), (judging, "load_image_tower")):
        load = getattr(module, name)

        def noting(*arguments: Any, made: Any = load) -> Any:
            seen.append(alive())
            model = made(*arguments)
            towers.append(weakref.ref(model))
            return model

        monkeypatch.setattr(module, name, noting)
    gc.collect()
    run(plan, tmp_path / "out")
    assert seen == [[], []] and len(towers) == 2 and not alive()


def test_prompts_are_those_of_invert_folder(plan: Plan, tmp_path: Path) -> None:
    """The very records of a folder's search, and captions with the guide's similarity; the judge's
    similarity is that of the files on the disk."""
    assert run(plan, tmp_path / "out") == [("prompt", 3, 3), ("picture", 3, 3), ("result", 3, 3)]
    with EvaluationFolder(tmp_path / "out", plan) as folder:
        prompts, results = folder.prompts["pez"].last(), folder.results.last()
        human = folder.prompts["human"].last()
    inverter = Inverter(plan.job)
    pictures = [(n, lambda n=n: Image.open(plan.pictures / n).convert("RGB")) for n in prompts]
    for record in inverter.records(pictures):
        kept = prompts[record["picture"]]
        for timed in ("seconds", "history"):
            del record[timed], kept[timed]
        assert record == kept
    ((name, caption),) = human.items()
    model = inverter.model
    seen = model.encode_pictures([Image.open(plan.pictures / name).convert("RGB")])
    own = (model.encode_texts(["a red square"]) * seen).sum().item()
    assert caption["similarity"] == pytest.approx(own, abs=1e-6)
    from pez_core import load_model

    judge = load_model(plan.judge)
    for (picture, method), record in results.items():
        shown = [Image.open(tmp_path / "out" / path) for path in record["images"]]
        features = judge.encode_pictures([Image.open(plan.pictures / picture), *shown])
        assert record["judged"] == pytest.approx((features[1:] @ features[0]).tolist(), abs=1e-5)
        assert record["judge"] == pytest.approx(np.mean(record["judged"]))
        assert record["seeds"] == [noise_seed(3, picture, j) for j in (0, 1)], method


def test_the_painter_chooses_the_prompts_of_a_method(plan: Plan, tmp_path: Path) -> None:
    """Among the candidates of the same search; what is chosen is painted, once."""
    plain = "pez,restarts=4"
    method = f"{plain},choice=painter"
    plan = replace(plan, optimizers=(plain, method))
    done = run(plan, tmp_path / "out")
    assert [(noun, count) for noun, count, _ in done] == [
        ("prompt", 5), ("choice", 2), ("picture", 5), ("result", 5),
    ]  # fmt: skip
    with EvaluationFolder(tmp_path / "out", plan) as folder:
        by_clip, chosen = (folder.prompts[m].last() for m in (plain, method))
        results = folder.results.last()
    painter = Painter(plan.painter, CPU)
    for name, record in chosen.items():
        prompts = [one["prompt"] for one in by_clip[name]["candidates"]]
        errors = {one["prompt"]: one["error"] for one in record["candidates"]}
        assert sorted(errors) == sorted(prompts) and len(prompts) > 1
        with Image.open(plan.pictures / name) as picture:
            found = rank(PipelineErrors(painter, picture.convert("RGB"), plan.job.seed), prompts)
        assert record["prompt"] == found.prompts[0].prompt == next(iter(errors))
        assert errors == {one.prompt: pytest.approx(one.error) for one in found.prompts}
        assert record["choice"]["passes"] == found.passes
        assert results[name, method]["prompt"] == record["prompt"]
        assert results[name, method]["similarity"] == record["similarity"]
    assert [count for _, count, _ in run(plan, tmp_path / "out")] == [0, 0, 0, 0]


def test_the_choices_of_another_painter_are_refused(plan: Plan, tmp_path: Path) -> None:
    """Also where nothing has been painted yet."""
    plan = replace(plan, optimizers=("pez,restarts=4,choice=painter",), captions={})
    run(plan, tmp_path / "out")
    (tmp_path / "out" / "regenerated.jsonl").unlink()
    (tmp_path / "out" / "results.jsonl").unlink()
    other = replace(plan, painter=replace(plan.painter, guidance=3.0))
    with pytest.raises(ResultsError, match="choices of another painter"):
        run(other, tmp_path / "out")


def test_who_else_chooses_is_not_known(plan: Plan) -> None:
    with pytest.raises(ConfigError, match="choice must be painter"):
        replace(plan, optimizers=("pez,choice=me",))


def test_a_judge_that_took_part_is_refused(plan: Plan, tmp_path: Path) -> None:
    """By its name, by its file, and as one of several guides."""
    demo = phases_module.find_model("demo").path
    for guide, judge in (("demo", "demo"), ("demo", str(demo.parent)), (plan.judge, plan.judge)):
        job = Job(guide, "{2}", plan.job.config, plan.job.mask)
        with pytest.raises(ConfigError, match="its own prompts would score too high"):
            check(Plan(plan.pictures, job, painter=plan.painter, judge=judge))
    check(plan)
    joint = Job(f"demo+{plan.judge}", "{2}", plan.job.config, plan.job.mask)
    with pytest.raises(ConfigError, match="give --judge another CLIP"):
        check(Plan(plan.pictures, joint, painter=plan.painter, judge=plan.judge))


def test_another_prompt_than_on_the_disk_is_refused(plan: Plan, tmp_path: Path) -> None:
    """A caption that has changed, and prompts that were learned anew under painted pictures."""
    run(plan, tmp_path / "out")
    (name,) = plan.captions["human"]
    changed = Plan(
        plan.pictures, plan.job, plan.optimizers, {"human": {name: "a blue square"}},
        plan.painter, plan.judge,
    )  # fmt: skip
    with pytest.raises(ResultsError, match="another caption of human .*'a red square', now 'a bl"):
        run(changed, tmp_path / "out")
    (tmp_path / "out" / "prompts" / "human.jsonl").unlink()
    with pytest.raises(ResultsError, match="painted from another prompt of human"):
        run(changed, tmp_path / "out")


def test_lost_pictures_are_painted_again(plan: Plan, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(plan, out)
    for name in ("results.jsonl", "table.md"):
        (out / name).unlink(missing_ok=True)
    lost = sorted((out / "regenerated").rglob("*.png"))[0]
    whole = lost.read_bytes()
    lost.unlink()
    assert run(plan, out)[1:] == [("picture", 0, 3), ("result", 3, 3)]
    assert run(plan, out, again=True)[1:] == [("picture", 1, 3), ("result", 1, 3)]
    assert lost.read_bytes() == whole


def test_a_picture_whose_name_is_too_long_ends_nothing(plan: Plan, tmp_path: Path) -> None:
    """`.0.png` is added to it; the other pictures are painted and judged."""
    first = sorted(plan.pictures.rglob("*.png"))[0]
    first.rename(first.with_name("a" * 251 + ".png"))
    assert run(replace(plan, captions={}), tmp_path / "out")[1:] == [
        ("picture", 2, 2), ("result", 2, 2),
    ]  # fmt: skip
    lines = (tmp_path / "out" / "results.jsonl").read_text().splitlines()
    errors = [json.loads(line).get("error", "") for line in lines]
    assert sum("is too long" in error for error in errors) == 1 == errors.count("")


def test_the_output_may_not_lie_among_the_pictures(plan: Plan) -> None:
    """What is painted would be evaluated the next time."""
    for out in (plan.pictures, plan.pictures / "out"):
        with pytest.raises(ConfigError, match="give another --out"):
            EvaluationFolder(out, plan)
    assert not (plan.pictures / "out").exists()
