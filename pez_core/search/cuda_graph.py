"""A step captured in a CUDA graph: its hundreds of kernels are launched by one call.

At 16 tokens the kernels of a step are done sooner than Python can launch them. A step that reads
and writes the same tensors each time, and waits for nothing, can be recorded once and replayed
(https://pytorch.org/docs/stable/notes/cuda.html#cuda-graphs).
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch

log = logging.getLogger(__name__)

Step = Callable[[], None]
WARM_UP = 3  # eager steps first: libraries choose and allocate in them what a capture may not


class Captured:
    """A step that is run eagerly at first, then recorded, then replayed.

    Where it cannot be recorded it is run eagerly for ever; a line of the log says why.
    """

    def __init__(
        self,
        step: Step,
        *,
        warm_up: Callable[[Step], None] | None = None,
        record: Callable[[Step], Step] | None = None,
    ) -> None:
        """step: advances state that stays in the same tensors. warm_up: runs a step eagerly.

        record: makes the replay of a step; recording itself changes no state. Both are CUDA's if
        left out.
        """
        self._step, self._count = step, 0
        self._warm_up, self._record = warm_up or beside, record or record_cuda
        self._replay: Step | None = None

    def __call__(self) -> None:
        """Advances the state by one step, in whichever way."""
        if self._replay is None and self._count == WARM_UP:
            self._replay = self._recorded()
        self._count += 1
        if self._replay is None:
            self._warm_up(self._step)
        else:
            self._replay()

    def _recorded(self) -> Step:
        try:
            return self._record(self._step)
        except RuntimeError as error:
            log.info("the step runs without a CUDA graph: %s", str(error).partition("\n")[0])
            return self._step


def beside(step: Step) -> None:
    """Runs a step on a stream of its own, as is asked for before a capture, in order with ours."""
    ours, side = torch.cuda.current_stream(), torch.cuda.Stream()
    side.wait_stream(ours)
    with torch.cuda.stream(side):
        step()
    ours.wait_stream(side)


def record_cuda(step: Step) -> Step:
    """The replay of a step on whatever stream is current then; raises RuntimeError if there is
    none."""
    graph = torch.cuda.CUDAGraph()
    # Other threads, such as ComfyUI's previews, may go on using the GPU: only ours is watched.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        step()
    replay: Step = graph.replay
    return replay
