"""A step captured in a CUDA graph: one call launches its hundreds of kernels.

At 16 tokens the kernels of a step end sooner than Python can launch them: on an H200 a graph makes
a step of ViT-L-14 12 times as fast (benchmarks/speed/gpu_checks.sh). A step that reads and writes
the same tensors each time, and waits for nothing, can be recorded once and replayed
(https://pytorch.org/docs/stable/notes/cuda.html#cuda-graphs).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from .optimizers import Optimizer

log = logging.getLogger(__name__)

Step = Callable[[], None]
WARM_UP = 3  # eager steps first: in them libraries choose and allocate what a capture may not


class CudaGraphStep:
    """A step that runs eagerly at first, is recorded, and is then replayed.

    captured: whether it is replayed now. If it cannot be recorded it goes on eagerly, and a line of
    the log says why.
    """

    def __init__(
        self,
        step: Step,
        *,
        warm_up: Callable[[Step], None] | None = None,
        record: Callable[[Step], Step] | None = None,
    ) -> None:
        """step: advances state that stays in the same tensors. warm_up: runs a step eagerly.

        record: makes the replay of a step; recording itself changes no state. CUDA's own if left
        out.
        """
        self._step, self._count = step, 0
        self._warm_up, self._record = warm_up or on_side_stream, record or record_cuda
        self._replay: Step | None = None
        self.captured = False

    def __call__(self) -> None:
        """Advances the state by one step."""
        if self._replay is None and self._count == WARM_UP:
            self._replay = self._recorded()
        self._count += 1
        if self._replay is None:
            self._warm_up(self._step)
        else:
            self._replay()

    def _recorded(self) -> Step:
        try:
            replay = self._record(self._step)
        except RuntimeError as error:
            log.info("the step runs without a CUDA graph: %s", str(error).partition("\n")[0])
            return self._step
        self.captured = True
        return replay


def graphed(optimizer: Optimizer) -> Step:
    """The optimiser's step, captured in a graph if it is on a GPU and can be.

    The graph and its memory live as long as what is returned: the optimiser does not hold it.
    """
    on_gpu = optimizer.best_scores.device.type == "cuda"
    return CudaGraphStep(optimizer.step) if on_gpu and optimizer.captures else optimizer.step


def on_side_stream(step: Step) -> None:
    """Runs a step on a stream of its own, as a capture requires, in order with the current one."""
    current, side = torch.cuda.current_stream(), torch.cuda.Stream()
    side.wait_stream(current)
    with torch.cuda.stream(side):
        step()
    current.wait_stream(side)


def record_cuda(step: Step) -> Step:
    """The replay of a step, on whatever stream is current then. Raises RuntimeError if the step
    cannot be captured."""
    graph = torch.cuda.CUDAGraph()
    # Other threads, such as ComfyUI's previews, may use the GPU meanwhile: only ours is watched.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        step()
    replay: Step = graph.replay
    return replay
