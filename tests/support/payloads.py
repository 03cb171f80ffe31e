"""The JSON that the nodes send to the front end: what each message of `schema` 1 has to hold."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
TOKEN = {"id": int, "text": str, "ends_word": bool, "fixed": bool}
CANDIDATE = {"text": str, "similarity": float, "error": (float, type(None))}
PROGRESS = {
    "schema": int, "node": str, "prompt_id": str, "step": int, "total": int, "seconds": float,
    "phase": str, "similarity": float, "text": str, "tokens": list,
}  # fmt: skip
LEARNED = {
    "schema": int, "kind": str, "text": str, "similarity": float, "tokens": list,
    "candidates": list, "guard": list, "stopped": str, "steps": int, "seconds": float,
    "model": str, "note": str, "passed_on": str, "edited": (dict, type(None)),
}  # fmt: skip
VIEWED = {
    "schema": int, "kind": str, "source": str, "text": str, "similarity": (float, type(None)),
    "similarities": dict, "compared_with": (str, type(None)), "error": (float, type(None)),
    "words": list, "guard": list, "chunk": int, "counts": list, "exact": bool, "exact_text": str,
    "template": str, "ban": str, "edits": dict,
}  # fmt: skip
WORD = {
    "before": str, "text": str, "locked": bool, "banned": bool, "replaced": (str, type(None)),
    "tokens": list, "alternatives": list, "pulls": dict,
}  # fmt: skip
KEPT = {
    "concept": str, "similarity": float, "threshold": float, "near": bool, "says": list,
    "known": bool,
}  # fmt: skip
PART = {"id": int, "text": str, "contribution": (float, type(None))}


def assert_fields(found: Json, fields: dict[str, Any]) -> None:
    """Exactly these keys, of these types; a whole number may stand where a float is meant."""
    assert found.keys() == fields.keys(), found.keys() ^ fields.keys()
    for name, kind in fields.items():
        kinds = kind if isinstance(kind, tuple) else (kind,)
        kinds = (*kinds, int) if float in kinds else kinds
        assert isinstance(found[name], kinds), f"{name} is {found[name]!r}"
        assert kind is bool or not isinstance(found[name], bool), f"{name} is {found[name]!r}"


def assert_progress(event: Json) -> None:
    assert_fields(event, PROGRESS)
    assert event["schema"] == 1 and event["phase"] in ("pez", "refine")
    assert 0 <= event["step"] <= event["total"]
    for token in event["tokens"]:
        assert_fields(token, TOKEN)


def assert_learned(output: Json) -> Json:
    """The payload of a node that learned; `output` is what the history keeps of it."""
    assert output.keys() == {"pez", "text"}, output.keys()
    (payload,), (text,) = output["pez"], output["text"]
    assert_fields(payload, LEARNED)
    assert payload["schema"] == 1 and payload["kind"] == "learned"
    assert payload["text"] == text
    assert payload["stopped"] in ("steps", "seconds", "plateau", "user")
    assert -1.001 <= payload["similarity"] <= 1.001
    for token in payload["tokens"]:
        assert_fields(token, TOKEN)
    for candidate in payload["candidates"]:
        assert_fields(candidate, CANDIDATE)
    assert_guard(payload)
    scores = [candidate["similarity"] for candidate in payload["candidates"]]
    # Where none keeps away, they are ranked by how far they are from doing so as well.
    near = any(kept["near"] for kept in payload["guard"])
    chosen = any(candidate["error"] is not None for candidate in payload["candidates"])
    assert near or chosen or scores == sorted(scores, reverse=True)
    return dict(payload)


def assert_guard(payload: Json) -> None:
    for kept in payload["guard"]:
        assert_fields(kept, KEPT)
        assert kept["near"] is (kept["similarity"] > kept["threshold"])


def assert_viewed(output: Json) -> Json:
    """The payload of a Token Viewer."""
    assert output.keys() == {"pez", "text"}, output.keys()
    (payload,) = output["pez"]
    assert_fields(payload, VIEWED)
    assert payload["schema"] == 1 and payload["kind"] == "viewed" and payload["chunk"] == 75
    assert_guard(payload)
    near = {kept["concept"] for kept in payload["guard"] if kept["near"]}
    for word in payload["words"]:
        assert_fields(word, WORD)
        assert word["pulls"].keys() <= near
        for part in word["tokens"]:
            assert_fields(part, PART)
        for alternative in word["alternatives"]:
            assert_fields(alternative, CANDIDATE)
    assert "".join(w["before"] + w["text"] for w in payload["words"]) == payload["source"].rstrip()
    return dict(payload)
