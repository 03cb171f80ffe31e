"""A running node: its progress bar and messages, ComfyUI's cancel, and "Use best so far"."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from comfy.utils import ProgressBar

from ...pez_core.painter.ranking import Ranking
from ...pez_core.prompt import SCHEMA
from ...pez_core.search.searcher import StepInfo
from ...pez_core.text.vocabulary import clip_vocabulary
from ..doing import LISTENER
from ..interrupt import INTERVAL, check_cancelled
from .messages import progress_message, ranking_message

RUNNING: dict[str, Live] = {}  # by the node's id; see `_running`


@contextmanager
def announced(node_id: str) -> Iterator[None]:
    """Tells the page what a node is doing, until its first words."""

    def tell(facts: dict[str, Any]) -> None:
        _send({"schema": SCHEMA, **facts}, node_id, _prompt_id())

    token = LISTENER.set(tell)
    try:
        yield
    finally:
        LISTENER.reset(token)


class Live:
    """A running node, as a context manager that cleans up however the run ends.

    finish: whether it should end with its best so far.
    """

    def __init__(self, node_id: str) -> None:
        """node_id: ComfyUI's, such as "3:2"."""
        self.node_id = node_id
        self.prompt_id = _prompt_id()
        self.finish = False
        self._bar: Any = None
        self._last = -float("inf")
        self._sent = False

    def __enter__(self) -> Live:
        _running()[self.node_id] = self
        return self

    def __exit__(self, *error: object) -> None:
        _running().pop(self.node_id, None)

    def tell(self, step: int, total: int, message: Callable[[], dict[str, Any]] | None) -> None:
        """Moves the bar, and sends a message if there is one. Raises ComfyUI's interrupt when the
        user has cancelled."""
        check_cancelled()
        now = time.monotonic()
        # Each update is three messages (the bar sends two, the chips one), so at most 10 messages
        # are sent per second.
        if now - self._last >= INTERVAL:
            self._last = now
            self._bar = self._bar or ProgressBar(total, node_id=self.node_id)
            self._bar.update_absolute(step, total)
        elif self._sent:  # the first words are sent at once
            return
        if running_server() is None or message is None:
            return
        self._sent = True
        _send(message(), self.node_id, self.prompt_id)


class LiveSearch(Live):
    """The callback of a search."""

    def __init__(self, node_id: str, fixed: frozenset[int]) -> None:
        """fixed: which tokens of the prompt are not learned."""
        super().__init__(node_id)
        self.fixed = fixed
        self._began = time.monotonic()
        self._latest: StepInfo | None = None

    def __call__(self, info: StepInfo) -> bool:
        """Whether to continue."""
        self._latest = info
        words = partial(progress_message, info, self.fixed, clip_vocabulary())
        self.tell(info.step, info.total, words if info.best else None)
        return not self.finish

    def weighing(self, phase: str) -> bool:
        """The search has ended, and the painter is at work on its words. Whether to continue."""
        check_cancelled()
        if self._latest is not None:
            seconds = time.monotonic() - self._began
            self(replace(self._latest, phase=phase, seconds=seconds))
        return not self.finish


class LiveRanking(Live):
    """The callback of a ranking."""

    def __init__(self, node_id: str, rounds: int) -> None:
        """rounds: at most."""
        super().__init__(node_id)
        self.rounds = rounds

    def __call__(self, found: Ranking) -> bool:
        """Whether to continue."""
        self.tell(found.rounds, self.rounds, partial(ranking_message, found, self.rounds))
        return not self.finish

    def editing(self, ranked: Ranking, edits: int) -> Callable[[Ranking, int], bool]:
        """The callback of the races of at most so many edits, after a ranking."""
        done, total = ranked.rounds, ranked.rounds + edits * self.rounds

        def show(_: Ranking, __: int) -> bool:
            nonlocal done
            done += 1
            running = {"step": done, "total": total, "phase": "edit"}
            self.tell(done, total, lambda: ranking_message(ranked, self.rounds) | running)
            return not self.finish

        return show


def finish(node_id: str, prompt_id: str | None) -> bool:
    """Ends a running node with its best prompt so far. Returns whether it was running."""
    live = _running().get(node_id)
    if live is None or prompt_id not in (None, live.prompt_id):
        return False
    live.finish = True
    return True


def _running() -> dict[str, Live]:
    """The running nodes. The server keeps them, because a second copy of the pack has another
    `RUNNING`: ComfyUI runs the nodes of the last copy, and the first copy has added the routes."""
    server = running_server()
    if server is None:
        return RUNNING
    running: dict[str, Live] = vars(server).setdefault("pez_running", RUNNING)
    return running


def _send(message: dict[str, Any], node_id: str, prompt_id: str | None) -> None:
    """To the page that queued the run; other open pages have graphs of their own."""
    server = running_server()
    if server is not None:
        detail = message | {"node": node_id, "prompt_id": prompt_id}
        server.send_sync("pez.progress", detail, server.client_id)


def running_server() -> Any:
    """ComfyUI's server; None where the nodes are used without one. It is only looked up, because
    importing it would start much of it."""
    module = sys.modules.get("server")
    return getattr(getattr(module, "PromptServer", None), "instance", None)


def _prompt_id() -> str | None:
    from comfy_execution.utils import get_executing_context

    context = get_executing_context()
    return context.prompt_id if context else None
