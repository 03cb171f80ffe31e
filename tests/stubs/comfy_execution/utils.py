"""Which prompt of the queue is being executed."""

from __future__ import annotations

from typing import NamedTuple


class ExecutionContext(NamedTuple):
    prompt_id: str
    node_id: str
    list_index: int | None


context: ExecutionContext | None = None


def get_executing_context() -> ExecutionContext | None:
    return context
