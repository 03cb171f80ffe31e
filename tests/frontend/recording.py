"""A run of the pack's nodes as the server would send it: the payloads of the contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

SCHEMA = 1


def _tokens(marked: str) -> list[dict[str, Any]]:
    """`"=a photo +graph"`: words are apart, `+` begins another piece of a word, `=` is fixed."""
    tokens: list[dict[str, Any]] = []
    for number, piece in enumerate(marked.split()):
        fixed, text = piece.startswith("="), piece.lstrip("=+")
        if piece.startswith("+"):
            tokens[-1]["ends_word"] = False
        tokens.append({"id": 1000 + number, "text": text, "ends_word": True, "fixed": fixed})
    return tokens


BEST = [
    ("=a =photo =of silent bread pillar", 0.1312),
    ("=a =photo =of silent ska +ter fruit", 0.1874),
    ("=a =photo =of water +melon ska +ter sum +mer :) (juicy)", 0.2392),
]
TOTAL = 12


def text_of(marked: str) -> str:
    return marked.replace(" +", "").replace("=", "")


def progress(step: int) -> dict[str, Any]:
    marked, similarity = BEST[min(len(BEST) - 1, step * len(BEST) // TOTAL)]
    return {
        "schema": SCHEMA,
        "step": step,
        "total": TOTAL,
        "seconds": 0.1 * step,
        "phase": "pez" if step < TOTAL * 2 // 3 else "refine",
        "similarity": similarity,
        "text": text_of(marked),
        "tokens": _tokens(marked),
    }


def learned(stopped: str = "plateau", text: str | None = None) -> dict[str, Any]:
    marked, similarity = BEST[-1]
    tokens = _tokens(marked)
    if text is not None:  # a prompt of one word, such as one that tries to be HTML
        tokens = [{"id": 7, "text": text, "ends_word": True, "fixed": False}]
    return {
        "schema": SCHEMA,
        "kind": "learned",
        "text": text or text_of(marked),
        "similarity": similarity,
        "tokens": tokens,
        "candidates": [
            {"text": text_of(m), "similarity": s, "error": None} for m, s in reversed(BEST)
        ],
        "guard": [kept("text", 0.1204), kept("a person", 0.2871)],
        "stopped": stopped,
        "steps": 163,
        "seconds": 2.31,
        "model": "demo",
        "note": text or "ran out of memory at 8 restarts: 4 were used",
    }


RANKED = [
    ("a watermelon on a striped background", 0.8712, 0.0, 12),
    ("watermelon \\(juicy\\)", 0.8745, 0.004, 12),
    ("tree lady dunno space watermelon watermelon lady emoji", 0.912, 0.009, 4),
    ("a pizza", 1.0231, 0.021, 4),
]


EDITED = {
    "edits": [
        {
            "prompt": "a juicy watermelon on a striped background",
            "error": 0.8569,
            "gain": 0.0143,
            "pieces": [
                {"text": "a", "kind": "same"},
                {"text": " juicy", "kind": "new"},
                {"text": " watermelon on a striped background", "kind": "same"},
            ],
        },
        {
            "prompt": "a juicy watermelon on a green background",
            "error": 0.8423,
            "gain": 0.0146,
            "pieces": [
                {"text": "a juicy watermelon on a", "kind": "same"},
                {"text": " striped", "kind": "gone"},
                {"text": " green", "kind": "new"},
                {"text": " background", "kind": "same"},
            ],
        },
    ],
    "reason": "no better edit",
}


def ranking(
    step: int,
    stopped: str = "rounds",
    text: str | None = None,
    words: bool = False,
    edited: bool = False,
) -> dict[str, Any]:
    """The Prompt Ranker's, after so many rounds. words: whether what they add was measured.
    edited: whether the best prompt was edited."""
    rows: list[dict[str, Any]] = [
        {"prompt": prompt, "error": e, "low": e - half, "high": e + half, "passes": 10 * rounds}
        for prompt, e, half, rounds in ([(text, 0.9, 0.0, 4)] if text else RANKED)
    ]
    for row in rows:
        row["words"] = [
            {"text": word if not place else f" {word}", "adds": 0.03 - 0.02 * place}
            for place, word in enumerate(row["prompt"].split() if words else [])
        ]
    return {
        "schema": SCHEMA,
        "kind": "ranking",
        "text": rows[0]["prompt"],
        "ranking": rows,
        "certainty": "the first 2 cannot be told apart",
        "step": step,
        "total": TOTAL,
        "passes": 440,
        "seconds": 0.4 * step,
        "stopped": stopped,
        "edited": EDITED if edited else None,
    }


def kept(concept: str, similarity: float, threshold: float = 0.3932) -> dict[str, Any]:
    """How near a prompt is to what it should keep away from."""
    near = similarity > threshold
    numbers = {"similarity": similarity, "threshold": threshold}
    return {"concept": concept, **numbers, "near": near, "says": [], "known": True}


def _word(number: int, word: str, contribution: float | None) -> dict[str, Any]:
    attached = word.startswith("~")
    pieces = word.lstrip("~").split("+")
    shares = [None if contribution is None else contribution / (k + 1) for k in range(len(pieces))]
    return {
        "before": "" if attached or number == 0 else " ",
        "text": "".join(pieces),
        "locked": False,
        "banned": False,
        "replaced": None,
        "tokens": [
            {"id": 9000 + 10 * number + k, "text": piece, "contribution": share}
            for k, (piece, share) in enumerate(zip(pieces, shares, strict=True))
        ],
        "alternatives": [
            {"text": "melon", "similarity": 0.2011},
            {"text": "fruit", "similarity": 0.1922},
        ],
        "pulls": {},
    }


WORDS = "a photo of water+melon ska+ter ~, lady summer ~:) (juicy)"
CONTRIBUTIONS = [0.002, 0.004, 0.0, 0.083, 0.041, -0.006, -0.031, 0.02, 0.011, -0.012]


def viewed(
    edits: dict[str, Any],
    text: str | None = None,
    words: int = 0,
    locked: Sequence[int] = (),
    error: float | None = None,
) -> dict[str, Any]:
    """`words` > 0: so many words, for the border of a chunk; `locked`: words of a template;
    `error`: of a painter."""
    if text is not None:
        parts = [_word(0, text, None)]
    elif words:
        parts = [_word(i, f"word{i}" if i % 7 else f"long+word{i}", None) for i in range(words)]
    else:
        parts = [
            _word(i, w, c)
            for i, (w, c) in enumerate(zip(WORDS.split(), CONTRIBUTIONS, strict=True))
        ]
    source = "".join(p["before"] + p["text"] for p in parts)
    if edits.get("source") != source:
        bans = edits.get("banned", [])
        edits = {"schema": SCHEMA, "source": source, "locked": list(locked), "banned": bans}
    if not text and not words:  # as it would be with "a person" in `avoid`
        for part in parts:
            part["pulls"] = {"a person": 0.2133 if part["text"] == "lady" else 0.0104}
    for part in parts:
        for place, other in enumerate(part["alternatives"]):
            other["error"] = None if error is None else round(error + 0.02 * (place + 1), 4)
    count = sum(len(p["tokens"]) for p in parts)
    return {
        "schema": SCHEMA,
        "kind": "viewed",
        "source": source,
        "text": source,
        "similarity": None if text or words else 0.2392,
        "similarities": {} if text or words else {"CLIP-L": 0.2301, "CLIP-G": 0.2483},
        "compared_with": None if text or words else "the picture",
        "error": error,
        "words": parts,
        "guard": [] if text or words else [kept("a person", 0.5217), kept("text", 0.1204)],
        "chunk": 75,
        "counts": [{"encoder": "CLIP-L", "tokens": count}, {"encoder": "CLIP-G", "tokens": count}],
        "exact": not text,
        "exact_text": text or "",
        "template": "",
        "ban": "",
        "edits": edits,
    }
