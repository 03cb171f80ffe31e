"""Many pictures on a Ray cluster: workers hold the model, and only this process writes the results.

Workers receive the pictures themselves, so they need no access to the folder. They return each
record as soon as it is ready. When a worker dies, another one replaces it and repeats its
unfinished pictures. The pictures that it had begun are repeated one by one, so that a picture that
kills every worker ends as an error.
"""

from __future__ import annotations

import logging
import os
import socket
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import ClusterError, PictureError
from ..pictures import decode_picture, read_picture
from .inverter import AHEAD, Inverter, Job
from .results import Record

log = logging.getLogger(__name__)

RAY = "pip install ray"
LOCAL = "local"  # the address of a cluster that starts here and ends with the run
ROUNDS_SENT = 4  # pictures of a batch, as a multiple of the concurrency
BYTES_SENT = 64 * 2**20  # the limit of a batch, unless it is a single picture
MOST_TRIES = 3  # workers that may die while searching one picture
CORES = 4  # for each worker without a GPU
STORE_BYTES = 256 * 2**20  # of a local cluster; more batches are kept on the disk
CONNECT_SECONDS = 5.0
PATIENCE = 30.0  # seconds without a worker before a warning


class Worker:
    """The part that runs in each worker process of the cluster."""

    def start(self, job: Job) -> int:
        """Load the model and return the process id."""
        self._inverter = Inverter(job)
        return os.getpid()

    def records(self, pictures: list[tuple[str, str, bytes]], concurrency: int) -> Iterator[Record]:
        """One record for every (name, path, content) of a file."""
        opened = [(name, partial(decode_picture, data, path)) for name, path, data in pictures]
        yield from self._inverter.records(opened, concurrency)


@dataclass(frozen=True)
class _Item:
    """A picture to search, and the number of workers that died while searching it."""

    name: str
    path: Path
    tries: int = 0


@dataclass
class _Task:
    """The current task of a worker: its start, or the unreturned items of a batch."""

    worker: Any
    left: dict[str, _Item] = field(default_factory=dict)


class Cluster:
    """Workers of a Ray cluster that share a job. Use it in a `with` statement, which ends the
    workers.

    workers: their number; if omitted, one for each GPU, or one for every CORES processor cores.
    pids: the process ids of workers that have loaded the model. lost: the number of workers that
    died.
    Raises ClusterError without Ray or without a cluster.
    """

    def __init__(
        self, job: Job, address: str = LOCAL, *, workers: int | None = None, concurrency: int = 8
    ) -> None:
        self._ray = _import_ray()
        _require_answer(address)
        self._started = not self._ray.is_initialized()
        if self._started:
            _connect(self._ray, address)
        self._concurrency = concurrency
        self._job = self._ray.put(job)
        self._workers, self._remote = _workers(self._ray, job, workers)
        self._todo: deque[_Item] = deque()
        self._busy: dict[Any, _Task] = {}  # by the reference that is awaited
        self._lost_in_a_row = 0  # workers lost since the last record
        self.pids: dict[Any, int] = {}  # by worker
        self.lost = 0

    def records(self, pictures: Iterable[tuple[str, Path]]) -> Iterator[Record]:
        """One record for every name and path, as soon as it is ready, in no fixed order.

        Raises ClusterError when workers keep dying, and whatever `Inverter` raises in a worker.
        """
        self._todo.extend(_Item(name, path) for name, path in pictures)
        for _ in range(min(self._workers, len(self._todo))):
            self._start_worker()
        warned = False
        while any(task.left for task in self._busy.values()) or self._todo:
            ready, _ = self._ray.wait(list(self._busy), num_returns=1, timeout=PATIENCE)
            if not (ready or self.pids or warned):
                log.warning("no worker has started yet: the cluster is busy or still loading")
                warned = True
            for awaited in ready:
                yield from self._receive(awaited)

    def _receive(self, awaited: Any) -> Iterator[Record]:
        """Handle the answer of a worker: it is ready, returns a record, has finished its batch, or
        has died."""
        task, errors = self._busy[awaited], self._ray.exceptions
        try:
            if task.worker not in self.pids:
                self.pids[task.worker] = self._ray.get(awaited)
            else:
                record = self._ray.get(next(awaited))
                del task.left[record["picture"]]
                self._lost_in_a_row = 0
                yield record
                return
        except StopIteration:
            pass
        except errors.RayTaskError as error:
            raise error.cause from error  # the error as this process would raise it
        except errors.RayError as error:
            del self._busy[awaited]
            yield from self._replace(task, error)
            return
        del self._busy[awaited]
        yield from self._send(task.worker)

    def _start_worker(self) -> None:
        worker = self._remote.remote()
        self._busy[worker.start.remote(self._job)] = _Task(worker)

    def _send(self, worker: Any) -> Iterator[Record]:
        """Send a worker its next batch. Yields error records of files that cannot be read."""
        batch: list[tuple[str, str, bytes]] = []
        task, size = _Task(worker), 0
        # The rest is divided among all workers, so that they end at about the same time.
        most = min(ROUNDS_SENT * self._concurrency, -(-len(self._todo) // self._workers))
        while self._todo and len(batch) < most and size < BYTES_SENT:
            if batch and self._todo[0].tries:
                break
            item = self._todo.popleft()
            try:
                data = read_picture(item.path)
            except PictureError as error:
                yield {"picture": item.name, "error": str(error)}
                continue
            batch.append((item.name, str(item.path), data))
            task.left[item.name], size = item, size + len(data)
            if item.tries:
                break
        if batch:
            work = worker.records.options(num_returns="streaming")
            self._busy[work.remote(batch, self._concurrency)] = task

    def _replace(self, task: _Task, error: Exception) -> Iterator[Record]:
        """Replace a dead worker; its pictures come next. Yields error records of the pictures that
        are given up."""
        self.lost, self._lost_in_a_row = self.lost + 1, self._lost_in_a_row + 1
        self.pids.pop(task.worker, None)
        self._ray.kill(task.worker)  # it may still run, if only its answer was lost
        reason = str(error).strip().partition("\n")[0]
        log.warning("a worker was lost; %d pictures are repeated: %s", len(task.left), reason)
        if self._lost_in_a_row > MOST_TRIES * (self._workers + 1):
            raise ClusterError(
                f"{self._lost_in_a_row} workers were lost one after the other: {reason}"
            )
        left = list(task.left.values())
        begun = self._concurrency + AHEAD + 1  # at most: in search, and decoded ahead
        self._todo.extendleft(reversed(left[begun:]))
        for item in reversed(left[:begun]):
            if item.tries + 1 < MOST_TRIES:
                self._todo.appendleft(replace(item, tries=item.tries + 1))
            else:
                text = f"{item.path}: {MOST_TRIES} workers were lost while searching it ({reason})"
                yield {"picture": item.name, "error": text}
        if self._todo:
            self._start_worker()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *error: object) -> None:
        for worker in {*self.pids, *(task.worker for task in self._busy.values())}:
            self._ray.kill(worker)
        if self._started:
            self._ray.shutdown()


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ClusterError(f"--ray needs Ray, which is not installed: {RAY}") from error
    return ray


def _require_answer(address: str) -> None:
    """Raise ClusterError for an address without a reachable cluster."""
    if address.startswith("ray://"):
        raise ClusterError(
            f"{address} is an address of Ray Client, which cannot stream results: run this on a "
            "machine of the cluster, with --ray auto or --ray HOST:PORT"
        )
    host, _, port = address.rpartition(":")
    try:
        if host and port.isdecimal():  # Ray itself retries for minutes and then ends the process
            socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(f"no Ray cluster answers at {address}: {error}") from error


def _connect(ray: Any, address: str) -> None:
    """Join a cluster, or start one on this machine."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a local cluster reports nothing
    local = {"object_store_memory": STORE_BYTES, "include_dashboard": False}
    try:
        ray.init(
            address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            **(local if address == LOCAL else {}),
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ClusterError(f"cannot join the Ray cluster {address}: {error}") from error


def _workers(ray: Any, job: Job, count: int | None) -> tuple[int, Any]:
    """The number of workers, and their remote class with the resources of each."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    gpus = int(sum(node.get("GPU", 0) for node in nodes))
    if gpus and job.device in ("auto", "cuda"):
        return count or gpus, ray.remote(num_gpus=min(1, gpus / (count or gpus)))(Worker)
    cores = [int(node.get("CPU", 0)) for node in nodes]
    if count is None:
        count = max(1, sum(core // CORES for core in cores))
        return count, ray.remote(num_cpus=min(CORES, max(cores)))(Worker)
    fitting = (n for n in range(max(cores), 0, -1) if sum(core // n for core in cores) >= count)
    return count, ray.remote(num_cpus=next(fitting, sum(cores) / count))(Worker)
