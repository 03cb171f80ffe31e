"""The threads of a search: one for a small model, where idle threads spin."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Barrier, Thread

import pytest
import torch

from pez_core import ClipModel, learn_prompt, make_targets
from pez_core.compute.threads import SMALL_WIDTH, one_thread_if_small


@pytest.fixture(autouse=True)
def spinning(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_a_small_model_searches_on_one_thread(demo: ClipModel) -> None:
    targets = make_targets(demo.encode_texts(["a slice of watermelon"]))
    seen = []

    def look(_: object) -> bool:
        seen.append(torch.get_num_threads())
        return len(seen) < 3

    learn_prompt(demo, targets, callback=look)
    assert seen == [1, 1, 1]
    assert torch.get_num_threads() == 3


def test_an_error_of_the_callback_gives_the_threads_back(demo: ClipModel) -> None:
    targets = make_targets(demo.encode_texts(["a slice of watermelon"]))

    def fail(_: object) -> bool:
        raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError, match="interrupted"):
        learn_prompt(demo, targets, callback=fail)
    assert torch.get_num_threads() == 3


@pytest.mark.parametrize(("width", "policy", "threads"), [
    (SMALL_WIDTH, None, 3), (SMALL_WIDTH - 1, None, 1), (SMALL_WIDTH - 1, "PASSIVE", 3),
    (SMALL_WIDTH - 1, "passive", 3), (SMALL_WIDTH - 1, "ACTIVE", 1), (SMALL_WIDTH - 1, "", 1),
])  # fmt: skip
def test_more_threads_where_they_pay_or_do_no_harm(
    monkeypatch: pytest.MonkeyPatch, width: int, policy: str | None, threads: int
) -> None:
    if policy is not None:
        monkeypatch.setenv("OMP_WAIT_POLICY", policy)
    with one_thread_if_small(width):
        assert torch.get_num_threads() == threads
    assert torch.get_num_threads() == 3


def test_two_searches_at_once_leave_the_process_as_it_was() -> None:
    """The second begins while the first runs, and ends after it."""
    both, first_ended = Barrier(2), Barrier(2)
    seen = {}

    def first() -> None:
        with one_thread_if_small(8):
            both.wait(10)
        first_ended.wait(10)

    def second() -> None:
        with one_thread_if_small(8):
            both.wait(10)
            first_ended.wait(10)
            seen["inside"] = torch.get_num_threads()
        seen["after"] = torch.get_num_threads()

    running = [Thread(target=first), Thread(target=second)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(20)
    later = Thread(target=lambda: seen.update(later=torch.get_num_threads()))
    later.start()
    later.join(20)
    assert seen == {"inside": 1, "after": 3, "later": 3}
