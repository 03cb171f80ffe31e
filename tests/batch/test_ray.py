"""Many pictures on a Ray cluster of two workers, in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Hashable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from pez_core import PRESETS, make_mask
from pez_core.batch import ray_batch
from pez_core.batch.inverter import Inverter, Job, SearchWork, picture_item, record_of
from pez_core.batch.ray_batch import MOST_TRIES, Cluster, Worker, connection
from pez_core.errors import ClusterError, ModelError
from pez_core.pictures import open_picture
from pez_core.text.vocabulary import Vocabulary
from tests.support.commands import Pez, run
from tests.support.many_pictures import QUICK, by_name, lines, make_pictures, timeless

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install ray")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
FATAL = "fatal"  # in the name of a picture that takes its worker down
Paths = list[tuple[str, Path]]


class FragileWorker(Worker):
    """Dies at once, as of a decoder's bug, when a picture of that name is searched."""

    def results(self, batch: Sequence[tuple[Hashable, Any]]) -> Any:
        for item in batch:
            if FATAL in str(item[0]):
                os.kill(os.getpid(), signal.SIGKILL)
            yield from super().results([item])


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A local cluster that the tests share, as small as it may be."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(
        "local",
        num_cpus=2,
        object_store_memory=80 * 2**20,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}},
    )
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def job(vocabulary: Vocabulary) -> Job:
    config = PRESETS["default"].replace(steps=3, restarts=2)
    return Job("demo", "{2}", config, make_mask(vocabulary), seed=5, device="cpu")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    folder = tmp_path_factory.mktemp("pictures")
    return [(name, folder / name) for name in make_pictures(folder, 12)]


def records_of(cluster: Cluster, pictures: Paths) -> list[dict[str, Any]]:
    items = [picture_item(name, path) for name, path in pictures]
    return [record_of(str(name), result) for name, result in cluster.results(items)]


@pytest.mark.usefixtures("cluster")
def test_a_killed_worker_costs_nothing(
    job: Job, pictures: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two workers, one killed with pictures in hand: one record each, equal to those of a run in
    one process, the error of a bad picture included."""
    (tmp_path / "bad.png").write_text("no picture")
    given = [*pictures, ("bad.png", tmp_path / "bad.png"), ("none.png", tmp_path / "none.png")]
    opened = [(name, lambda path=path: open_picture(path)) for name, path in given]
    expected = by_name(list(Inverter(job).records(opened)))
    assert sum("error" in record for record in expected.values()) == 2
    died = tmp_path / "died"

    class DiesOnce(Worker):
        """The first that has given a record dies with the rest of its batch in hand."""

        def results(self, batch: Sequence[tuple[Hashable, Any]]) -> Iterator[Any]:
            for number, (name, record) in enumerate(super().results(batch)):
                if number and "error" not in record:
                    with suppress(FileExistsError), died.open("x") as file:
                        file.write(str(os.getpid()))
                        file.close()
                        os.kill(os.getpid(), signal.SIGKILL)
                yield name, record

    monkeypatch.setattr(ray_batch, "Worker", DiesOnce)
    with Cluster(SearchWork(job, at_once=2), workers=2) as workers:
        records = records_of(workers, given)
        assert workers.lost == 1
    assert int(died.read_text()) != os.getpid()
    assert by_name(records) == expected


@pytest.mark.usefixtures("cluster")
def test_a_picture_that_kills_its_workers_is_given_up(
    job: Job, pictures: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After MOST_TRIES of them, as an error; every other picture is done."""
    monkeypatch.setattr(ray_batch, "Worker", FragileWorker)
    Image.new("RGB", (30, 30), "red").save(tmp_path / "fatal.png")
    given = [pictures[0], ("fatal.png", tmp_path / "fatal.png"), *pictures[1:4]]
    with Cluster(SearchWork(job, at_once=2), workers=1) as workers:
        records = by_name(records_of(workers, given))
        assert workers.lost == MOST_TRIES
    assert sorted(records) == sorted(name for name, _ in given)
    failed = {name: r["error"] for name, r in records.items() if "error" in r}
    assert list(failed) == ["fatal.png"]
    assert f"{MOST_TRIES} workers were lost while searching it" in failed["fatal.png"]


@pytest.mark.usefixtures("cluster")
def test_what_a_worker_raises_is_raised_here(job: Job, pictures: Paths) -> None:
    """Unchanged, so that one line reports it: a model that the worker cannot find."""
    lost = Job(**{**vars(job), "model": "none.safetensors"})
    with (
        Cluster(SearchWork(lost), workers=1) as workers,
        pytest.raises(ModelError, match="no such file"),
    ):
        records_of(workers, pictures)


@pytest.mark.usefixtures("cluster")
def test_the_command_uses_a_cluster(pez: Pez, pictures: Paths, tmp_path: Path) -> None:
    """The same lines with --ray as without, and a file begun with one is ended by the other."""
    folder, (here, there) = tmp_path / "pictures", (tmp_path / "here", tmp_path / "there")
    make_pictures(folder, 2)
    command = ["invert-folder", str(folder), *QUICK, "--device", "cpu", "--out"]
    assert pez(*command, str(there), "--ray", "--workers", "1")[0] == 0
    make_pictures(folder, 3)
    code, _, err = pez(*command, str(there))
    assert code == 0 and err.startswith("pez: 1 of 3 pictures to do")
    assert pez(*command, str(here))[0] == 0
    assert by_name(lines(there)) == by_name(lines(here))


@pytest.mark.usefixtures("cluster")
def test_an_evaluation_uses_a_cluster(pez: Pez, tmp_path: Path) -> None:
    """The same files with --ray as without, and a folder begun with one is ended by the other."""
    pytest.importorskip("diffusers")
    make_pictures(tmp_path / "pictures", 2)
    command = ["evaluate", str(tmp_path / "pictures"), "--model", "demo", "--device", "cpu", *QUICK]
    command += ["--diffusion-steps", "2", "--images", "2", "--optimizers", "pez", "soft", "--out"]
    here, there = tmp_path / "here", tmp_path / "there"
    assert pez(*command, str(there), "--ray", "--workers", "1")[0] == 0
    (tmp_path / "pictures" / "bad.png").write_text("no picture")
    make_pictures(tmp_path / "pictures", 3)
    assert pez(*command, str(there))[0] == 1
    assert pez(*command, str(here))[0] == 1
    for name in ("results.jsonl", "regenerated.jsonl", "prompts/pez.jsonl", "prompts/soft.jsonl"):
        first, second = (
            sorted(json.dumps(timeless(line), sort_keys=True) for line in lines(folder / name))
            for folder in (here, there)
        )
        assert first == second
    for path in here.glob("regenerated/**/*.png"):
        assert path.read_bytes() == (there / path.relative_to(here)).read_bytes()


def test_a_cluster_is_started_where_none_is_named(tmp_path: Path) -> None:
    """And ends with the command; stdout stays empty. Captions come from this process."""
    names = make_pictures(tmp_path / "pictures", 2)
    command = ["invert-folder", "pictures", "--out", "r.jsonl", "--txt", "--prefix", "sks", *QUICK]
    result = run(*command, "--ray", "--workers", "1", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, ""), result.stderr
    found = by_name(lines(tmp_path / "r.jsonl"))
    assert sorted(found) == names
    for name, record in found.items():
        caption = (tmp_path / "pictures" / name).with_suffix(".txt")
        assert caption.read_text(encoding="utf-8") == f"sks, {record['prompt']}"
    assert "pez: 2 pictures in" in result.stderr


def test_a_cluster_that_is_not_there_is_reported() -> None:
    """At once, where Ray itself would try for minutes; and what kind of address is of no use."""
    for address, message in (
        ("127.0.0.1:1", "no Ray cluster answers at 127.0.0.1:1: .*refused"),
        ("ray://127.0.0.1:1", "Ray Client, which cannot stream results"),
    ):
        with pytest.raises(ClusterError, match=message), connection(address):
            pass


@pytest.mark.parametrize(
    ("nodes", "asked", "count", "each"),
    [
        ([{"CPU": 16}], None, 4, {"num_cpus": 4}),
        ([{"CPU": 2}], None, 1, {"num_cpus": 2}),
        ([{"CPU": 2}], 2, 2, {"num_cpus": 1}),
        ([{"CPU": 1}], 2, 2, {"num_cpus": 0.5}),
        ([{"CPU": 6}, {"CPU": 6}], 3, 3, {"num_cpus": 3}),  # 4 each would leave the third none
        ([{"CPU": 8}, {"CPU": 8, "GPU": 4}], None, 4, {"num_gpus": 1}),
        ([{"CPU": 8, "GPU": 1}], 2, 2, {"num_gpus": 0.5}),
    ],
)
def test_workers_fit_the_cluster(
    nodes: list[dict[str, Any]], asked: int | None, count: int, each: dict[str, Any]
) -> None:
    """One for each GPU, else for every four cores; never more cores each than a node has."""
    told: dict[str, Any] = {}
    fake = SimpleNamespace(
        nodes=lambda: (
            [{"Alive": True, "Resources": n} for n in nodes]
            + [{"Alive": False, "Resources": {"CPU": 99}}]
        ),
        remote=lambda **options: told.update(options) or (lambda kind: kind),
    )
    assert ray_batch._workers(fake, "auto", asked) == (count, Worker)
    assert told == each
