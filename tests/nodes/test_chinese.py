"""The Chinese of what the nodes say, in the front end's table: complete, and nothing left over."""

from __future__ import annotations

import json
import re

from tests.support.messages import templates
from tests.support.sources import ROOT, sources


def table() -> dict[str, str]:
    page = (ROOT / "web" / "js" / "chinese.js").read_text(encoding="utf-8")
    _, entries = page.split("export const FROM_SERVER = {")
    pairs = re.findall(r'("(?:[^"\\]|\\.)*"):\s+("(?:[^"\\]|\\.)*"),', entries)
    return {json.loads(english): json.loads(chinese) for english, chinese in pairs}


def test_every_error_of_the_nodes_has_its_chinese() -> None:
    assert templates("nodes") <= set(table())


def test_every_entry_is_said_somewhere() -> None:
    """Its constant parts are in the code, whose long texts are joined."""
    code = "".join(path.read_text(encoding="utf-8") for room in ("nodes", "pez_core")
                   for path in sources(room))  # fmt: skip
    joined = re.sub(r'"\s*\n\s*f?"', "", code)
    for english, chinese in table().items():
        assert re.search(r"[\u4e00-\u9fff{]", chinese), english
        for part in filter(str.strip, re.split(r"\{\d+\}", english)):
            assert part in joined, english
