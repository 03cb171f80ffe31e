"""The speed and memory of a GPU, in sections that print and save each row as soon as it is
measured.

    python -m benchmarks.speed.gpu SECTION [--models ViT-L-14 ViT-H-14] [--out FOLDER]

steps: a PEZ step with and without a CUDA graph, compared with `reference` and with the floor: the
time to read the blocks' weights twice, forward and backward, at the bandwidth measured in the same
run. searches: whole searches of every preset, with refinement and exact scores, and the host calls
of one of them. folder: pictures a second of `pez invert-folder`, image tower included. memory: the
peak of loading, encoding and searching. precision: whether all precisions find equally good
prompts, on the embedded model. All sections but the last use random weights of the true sizes;
"A+B" is an ensemble of two. `gpu_checks.sh` runs all sections, each in its own process.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from PIL import Image

from pez_core import PRESETS, ClipModel, SearchConfig, learn_prompt, load_model, make_targets
from pez_core.batch.inverter import Inverter, Job, Picture
from pez_core.clip.text_tower import TextTower
from pez_core.search.cuda_graph import graphed
from pez_core.search.objective import Cosine
from pez_core.search.optimizers import Pez
from pez_core.search.projection import token_table
from pez_core.search.reference import Reference
from pez_core.text.vocabulary import clip_vocabulary, make_mask

from ..measure import PeakMemory, allocated, machine, markdown
from .gpu_bench import Bench, bandwidth, floor
from .precision import of_precision

MODELS = ("ViT-L-14-quickgelu", "ViT-H-14", "ViT-L-14-quickgelu+ViT-bigG-14")
RESTARTS = (1, 8, 16)
TOKENS = 8
Row = dict[str, Any]


def of_steps(bench: Bench) -> Iterator[Row]:
    """A row for the reference, and one for every precision, number of restarts and launch
    method."""
    speed, count = bandwidth(bench), 2 if bench.dry else 20
    yield {"method": "copy", "terabytes_a_second": speed / 1e12}
    for name in bench.single[: None if bench.dry else 2]:
        model = bench.model(name, as_stored=False)
        assert isinstance(model.tower, TextTower)
        layout = torch.tensor([model.vocabulary.start, *[-1] * TOKENS, model.vocabulary.end])
        allowed = torch.tensor(make_mask(model.vocabulary).ids)
        target, config = bench.target(model), SearchConfig(steps=10 * count + 20)
        generator = torch.Generator().manual_seed(0)
        reference = Reference(
            model.tower, allowed, layout, target.features, config.replace(restarts=1), generator
        )
        base = _seconds_a_step(bench, reference.step, max(count // 4, 1))
        yield {"model": name, "method": "reference", "dtype": "float32", "restarts": 1,
               "step": base, "ratio": 1.0}  # fmt: skip
        for dtype in (torch.float32, bench.dtype()):
            tower = model.tower.to(bench.device, dtype).for_search()
            table = token_table(tower.token_embedding, allowed, dtype=dtype)
            for restarts in RESTARTS:
                for graph in (False, True) if bench.device == "cuda" else (False,):
                    objective = Cosine(tower, layout, [target])
                    with PeakMemory(bench.device) as memory:
                        pez = Pez(
                            objective, table, config.replace(restarts=restarts),
                            [torch.Generator().manual_seed(0)],
                        )  # fmt: skip
                        advance = graphed(pez) if graph else pez.step
                        step = _seconds_a_step(bench, advance, count)
                        del advance
                    yield {
                        "model": name, "method": "graph" if graph else "eager",
                        "dtype": str(dtype).removeprefix("torch."), "restarts": restarts,
                        "step": step, "ratio": base * restarts / step,
                        "over_floor": step / floor(tower, speed), "megabytes": memory.megabytes,
                    }  # fmt: skip


def _seconds_a_step(bench: Bench, step: Callable[[], None], count: int) -> float:
    """Median seconds of a step, synchronised only after every tenth, as a search runs it."""

    def ten() -> None:
        for _ in range(10):
            step()

    ten()  # warm-up, and the capture
    return median(bench.seconds(ten) for _ in range(count)) / 10


def of_searches(bench: Bench) -> Iterator[Row]:
    """Seconds of whole searches, from targets to ranked candidates; the first search has its own
    row."""
    for name in bench.models:
        model = bench.model(name)
        run = partial(_search, bench, model)
        yield {"model": name, "preset": "the first search", "seconds": [bench.seconds(run)]}
        for preset, config in PRESETS.items():
            if bench.dry and preset == "paper":
                config = config.replace(steps=20)
            repeats = 1 if bench.dry or preset in ("paper", "thorough") else 4
            seconds = [bench.seconds(partial(run, config, seed)) for seed in range(repeats)]
            result = run(config) if repeats > 1 else None
            yield {"model": name, "preset": preset, "seconds": seconds,
                   "steps": result.steps if result else None}  # fmt: skip
        if bench.device == "cuda" and name == bench.models[0]:
            yield {"model": name, "preset": "default", "host calls": _host_calls(run)}


def _search(
    bench: Bench, model: ClipModel, config: SearchConfig = PRESETS["default"], seed: int = 0
) -> Any:
    targets = bench.target(model, seed)
    template = f"{{{TOKENS}}}"
    return learn_prompt(model, targets, template, config=config, seed=seed, dtype=bench.dtype())


def _host_calls(run: Callable[[], object]) -> dict[str, int]:
    """The number of calls in one search that cost time on the host: launches, waits and copies."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as trace:
        run()
    names = ("cudaLaunchKernel", "cudaLaunchKernelExC", "cudaGraphLaunch", "cudaMemcpyAsync",
             "cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaMalloc")  # fmt: skip
    return {event.key: event.count for event in trace.key_averages() if event.key in names}


def of_folder(bench: Bench) -> Iterator[Row]:
    """Pictures a second of a folder, opened, encoded and searched, by concurrency."""
    name, count = bench.models[0], 4 if bench.dry else 48
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (count, 256, 256, 3), generator=generator, dtype=torch.uint8)
    pictures = [(str(i), partial(Image.fromarray, p.numpy())) for i, p in enumerate(pixels)]
    mask = make_mask(clip_vocabulary())
    for preset in ("fast", "default"):
        job = Job(bench.path(name), f"{{{TOKENS}}}", PRESETS[preset], mask, device=bench.device)
        inverter = Inverter(job)
        _all_records(inverter, pictures[:2], 2)  # warm-up
        for concurrency in (2,) if bench.dry else (1, 8, 32):
            some = pictures[: 8 if concurrency == 1 else count]
            seconds = bench.seconds(partial(_all_records, inverter, some, concurrency))
            yield {"model": name, "preset": preset, "at_once": concurrency,
                   "pictures_a_second": len(some) / seconds}  # fmt: skip


def _all_records(inverter: Inverter, pictures: list[Picture], concurrency: int) -> None:
    for _ in inverter.records(pictures, concurrency):
        pass


def of_memory(bench: Bench) -> Iterator[Row]:
    """Peak and remaining megabytes of every phase of one inversion, weights included."""
    picture = Image.new("RGB", (256, 256), "red")
    for name in bench.models:
        path, start = bench.path(name), allocated(bench.device)
        with PeakMemory(bench.device) as loading:
            model = load_model(path, bench.device, as_stored=True)
        after = allocated(bench.device)
        with PeakMemory(bench.device) as encoding:
            features = model.encode_pictures([picture])
        with PeakMemory(bench.device) as searching:
            learn_prompt(model, make_targets(features), dtype=bench.dtype())
        yield {
            "model": name, "text_tower": after - start, "load": loading.megabytes,
            "encode": after - start + encoding.megabytes,
            "search": after - start + searching.megabytes,
        }  # fmt: skip
        del model, features
        yield {"model": name, "left": allocated(bench.device) - start}


def of_precisions(bench: Bench) -> Iterator[Row]:
    """Mean best similarity of every precision, and its difference from float32."""
    config = SearchConfig(steps=3, refine=0) if bench.dry else SearchConfig()
    pictures = 2 if bench.dry else 10
    for dtype, row in of_precision(load_model("demo"), bench.device, pictures, config).items():
        yield {"dtype": dtype, **row}


SECTIONS = {
    "steps": of_steps, "searches": of_searches, "folder": of_folder, "memory": of_memory,
    "precision": of_precisions,
}  # fmt: skip


def shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return " ".join(map(shown, value))
    return str(value)


def main() -> None:
    """Run one section. It prints each row and saves all rows so far."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("section", choices=list(SECTIONS))
    parser.add_argument("--models", nargs="+", default=list(MODELS), help='"A+B": an ensemble')
    parser.add_argument("--out", type=Path, default=Path("."), help="folder of the JSON files")
    parser.add_argument("--dry", action="store_true", help="tiny models, on the CPU")
    options = parser.parse_args()
    options.device = "cpu" if options.dry else "cuda"
    if options.dry:
        torch.set_num_threads(1)
        options.models = ["tiny", "tiny+tiny-2"]
    elif not torch.cuda.is_available():
        parser.error("this torch has no CUDA device: add --dry to try it out on a CPU")
    about = {"machine": machine(torch.get_num_threads(), options.device), "tokens": TOKENS}
    path = options.out / f"gpu_{options.section}.json"
    options.out.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    print(about["machine"], flush=True)
    shared = Path("/dev/shm")  # in memory if possible: the models take gigabytes
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
        for row in SECTIONS[options.section](Bench(options, Path(folder))):
            rows.append(row)
            print("  ".join(f"{key} {shown(value)}" for key, value in row.items()), flush=True)
            path.write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    print("\n".join(table(rows)))


def table(rows: list[Row]) -> list[str]:
    """The rows as Markdown. A row with other entries than the previous one begins a new table."""
    lines: list[str] = []
    head: list[str] = []
    for row in rows:
        if list(row) != head:
            head = list(row)
            lines += ["", *markdown(head, [])]
        lines += markdown(head, [[shown(value) for value in row.values()]])[2:]
    return lines


if __name__ == "__main__":
    main()
