"""Work on a Ray cluster: workers hold the model, and only this process writes the results.

Workers receive the contents of the items themselves, so they need no access to the files. They
return each result as soon as it is ready. When a worker dies, another one replaces it and repeats
its unfinished items. The items that it had begun are repeated one by one, so that an item that
kills every worker ends as an error.
"""

from __future__ import annotations

import logging
import os
import socket
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import ClusterError, PictureError
from .results import Key
from .work import Item, Result, Work

log = logging.getLogger(__name__)

RAY = "pip install ray"
LOCAL = "local"  # the address of a cluster that starts here and ends with the run
ROUNDS_SENT = 4  # items of a batch, as a multiple of those at once
BYTES_SENT = 64 * 2**20  # the limit of a batch, unless it is a single item
MOST_TRIES = 3  # workers that may die of one item
CORES = 4  # for each worker without a GPU
STORE_BYTES = 256 * 2**20  # of a local cluster; more batches are kept on the disk
CONNECT_SECONDS = 5.0
PATIENCE = 30.0  # seconds without a worker before a warning


class Worker:
    """The part that runs in each worker process of the cluster."""

    def start(self, work: Work) -> int:
        """Load the model and return the process id."""
        self._do = work.load()
        return os.getpid()

    def results(self, batch: Sequence[tuple[Key, Any]]) -> Iterator[tuple[Key, Result]]:
        """The result of every item, from its name and content."""
        yield from self._do(batch)


@dataclass(frozen=True)
class _Try:
    """An item, and the number of workers that died while doing it."""

    item: Item
    before: int = 0


@dataclass
class _Task:
    """The current task of a worker: its start, or the unfinished items of a batch."""

    worker: Any
    left: dict[Key, _Try] = field(default_factory=dict)


@contextmanager
def connection(address: str = LOCAL) -> Iterator[None]:
    """A connection to a Ray cluster, or one that this process has already.

    Raises ClusterError without Ray or without a cluster.
    """
    ray = import_ray()
    _require_answer(address)
    if ray.is_initialized():
        yield
        return
    _connect(ray, address)
    try:
        yield
    finally:
        ray.shutdown()


def run_on_cluster(
    work: Work, items: Iterable[Item], workers: int | None = None
) -> Iterator[tuple[Key, Result]]:
    """Do the work on the connected cluster. Raises as `Cluster.results` does."""
    with Cluster(work, workers) as cluster:
        yield from cluster.results(items)


class Cluster:
    """Workers of the connected Ray cluster that share a work. Use it in a `with` statement, which
    ends the workers.

    workers: their number; if omitted, one for each GPU, or one for every CORES processor cores.
    pids: the process ids of workers that have loaded the model. lost: the number of workers that
    died.
    """

    def __init__(self, work: Work, workers: int | None = None) -> None:
        self._ray = import_ray()
        self._at_once, self._ahead, self._doing = work.at_once, work.ahead, work.doing
        self._work = self._ray.put(work)
        self._workers, self._remote = _workers(self._ray, work.device, workers)
        self._todo: deque[_Try] = deque()
        self._busy: dict[Any, _Task] = {}  # by the reference that is awaited
        self._lost_in_a_row = 0  # workers lost since the last result
        self.pids: dict[Any, int] = {}  # by worker
        self.lost = 0

    def results(self, items: Iterable[Item]) -> Iterator[tuple[Key, Result]]:
        """The name and the result of every item, as soon as it is ready, in no fixed order.

        Raises ClusterError when workers keep dying, and whatever the work raises in a worker.
        """
        self._todo.extend(_Try(item) for item in items)
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

    def _receive(self, awaited: Any) -> Iterator[tuple[Key, Result]]:
        """Handle the answer of a worker: it is ready, returns a result, has finished its batch, or
        has died."""
        task, errors = self._busy[awaited], self._ray.exceptions
        try:
            if task.worker not in self.pids:
                self.pids[task.worker] = self._ray.get(awaited)
            else:
                name, result = self._ray.get(next(awaited))
                del task.left[name]
                self._lost_in_a_row = 0
                yield name, result
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
        self._busy[worker.start.remote(self._work)] = _Task(worker)

    def _send(self, worker: Any) -> Iterator[tuple[Key, Result]]:
        """Send a worker its next batch. Yields the errors of items that cannot be read."""
        batch: list[tuple[Key, Any]] = []
        task, size = _Task(worker), 0
        # The rest is divided among all workers, so that they end at about the same time.
        most = min(ROUNDS_SENT * self._at_once, -(-len(self._todo) // self._workers))
        while self._todo and len(batch) < most and size < BYTES_SENT:
            if batch and self._todo[0].before:
                break
            attempt = self._todo.popleft()
            name = attempt.item.name
            try:
                content, bytes_read = attempt.item.read()
            except PictureError as error:
                yield name, error
                continue
            batch.append((name, content))
            task.left[name], size = attempt, size + bytes_read
            if attempt.before:
                break
        if batch:
            work = worker.results.options(num_returns="streaming")
            self._busy[work.remote(batch)] = task

    def _replace(self, task: _Task, error: Exception) -> Iterator[tuple[Key, Result]]:
        """Replace a dead worker; its items come next. Yields the errors of items that are given
        up."""
        self.lost, self._lost_in_a_row = self.lost + 1, self._lost_in_a_row + 1
        self.pids.pop(task.worker, None)
        self._ray.kill(task.worker)  # it may still run, if only its answer was lost
        reason = str(error).strip().partition("\n")[0]
        log.warning("a worker was lost; %d items are repeated: %s", len(task.left), reason)
        if self._lost_in_a_row > MOST_TRIES * (self._workers + 1):
            raise ClusterError(
                f"{self._lost_in_a_row} workers were lost one after the other: {reason}"
            )
        left = list(task.left.values())
        begun = self._at_once + self._ahead  # at most
        self._todo.extendleft(reversed(left[begun:]))
        for attempt in reversed(left[:begun]):
            if attempt.before + 1 < MOST_TRIES:
                self._todo.appendleft(replace(attempt, before=attempt.before + 1))
            else:
                item = attempt.item
                text = f"{MOST_TRIES} workers were lost while {self._doing} it ({reason})"
                yield item.name, PictureError(f"{item.label}: {text}")
        if self._todo:
            self._start_worker()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *error: object) -> None:
        for worker in {*self.pids, *(task.worker for task in self._busy.values())}:
            self._ray.kill(worker)


def import_ray() -> Any:
    """The module ray. Raises ClusterError when it is not installed."""
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


def _workers(ray: Any, device: str, count: int | None) -> tuple[int, Any]:
    """The number of workers, and their remote class with the resources of each."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    gpus = int(sum(node.get("GPU", 0) for node in nodes))
    if gpus and device in ("auto", "cuda"):
        return count or gpus, ray.remote(num_gpus=min(1, gpus / (count or gpus)))(Worker)
    cores = [int(node.get("CPU", 0)) for node in nodes]
    if count is None:
        count = max(1, sum(core // CORES for core in cores))
        return count, ray.remote(num_cpus=min(CORES, max(cores)))(Worker)
    fitting = (n for n in range(max(cores), 0, -1) if sum(core // n for core in cores) >= count)
    return count, ray.remote(num_cpus=next(fitting, sum(cores) / count))(Worker)
