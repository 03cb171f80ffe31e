"""Results files that something else has written into: our error, and nothing lost."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pez_core.batch.results import ResultsFile
from pez_core.errors import ResultsError
from tests.fuzz.hostile import as_json, bytes_with_one_wrong, values, with_one_wrong

LINE = {
    "picture": "a.png", "schema": 1, "prompt": "a cat", "similarity": 0.5, "model": "demo",
    "candidates": [{"prompt": "a cat", "similarity": 0.5, "ids": [320, 2368]}],
    "history": [[1, 0.1, 0.5]], "seed": 0,
    "settings": {"steps": 10, "template": "{8}", "pictures": ["a.png"]},
}  # fmt: skip
FAILED = {"picture": "b.png", "error": "no such picture"}
TWO = as_json(LINE) + b"\n" + as_json(FAILED) + b"\n"
line = st.one_of(
    with_one_wrong(LINE).map(as_json), with_one_wrong(FAILED).map(as_json), values.map(as_json),
    st.just(as_json(LINE)), st.binary(max_size=30),
)  # fmt: skip
contents = st.one_of(
    st.lists(line, max_size=4).map(lambda lines: b"".join(one + b"\n" for one in lines)),
    bytes_with_one_wrong(TWO),
    st.binary(max_size=40),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contents)
def test_results(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(content)
    try:
        with ResultsFile(path) as results:
            results.todo(["a.png", "c.png"], again=True)
            results.last()
            results.append({"picture": "new.png", "error": "none"})
    except ResultsError as error:
        assert str(path) in str(error)
        assert path.read_bytes() == content, "a file that is not ours is kept as it is"
        return
    lines = path.read_bytes().splitlines(keepends=True)
    assert json.loads(lines[-1])["picture"] == "new.png"
    # Whole lines stay; only a torn last one, which begins like ours, goes.
    kept = b"".join(lines[:-1])
    assert content.startswith(kept.removesuffix(b"\n"))
    assert b"\n" not in content[len(kept) :]
