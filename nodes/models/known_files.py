"""Which files hold a usable CLIP, remembered from one start of ComfyUI to the next.

A folder may hold a thousand checkpoints, and the list of models is made at every start. So what was
found is kept on disk for each file, by its path, time and size. It only answers whether a file is
offered, and whether it sees pictures: what is in a file is read again when it is used.

But: the memory is a convenience. Where it cannot be read or written, the files are read instead.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ...pez_core.batch.whole_file import whole_file
from ...pez_core.errors import ModelError
from ...pez_core.hub.configuration import read_json
from ...pez_core.version import __version__

MOST = 20_000  # files that are remembered
Stamp = tuple[int, int]  # the time and the size of a file
NOTHING, READS, SEES = range(3)  # what a file can do; what sees reads, too


def memory_file() -> Path:
    """Not in PEZ_MODELS: that is a folder of models, which may be shared and read-only."""
    folder = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.path.expanduser(folder)) / "pez" / "clip_files.json"


class KnownFiles:
    """What files can do, by path and stamp."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[Stamp, int]] | None = None  # None: not yet read from disk
        self._asked: set[str] = set()
        self._changed = False

    def can(self, path: Path, stamp: Stamp, look: Callable[[], int]) -> int:
        """What a file can do. look: reads the file if this is not known."""
        if self._found is None:
            self._found = _read(memory_file())
        name = str(path)
        self._asked.add(name)
        known = self._found.get(name)
        if known is None or known[0] != stamp:
            known = stamp, look()
            self._found[name] = known
            self._changed = True
        return known[1]

    def save(self) -> None:
        """Writes what has been learned since the last time, if there is a place for it."""
        if self._found is None or not self._changed:
            return
        self._changed = False
        if len(self._found) > MOST:
            self._found = {k: v for k, v in self._found.items() if k in self._asked}
        files = {name: [*stamp, can] for name, (stamp, can) in self._found.items()}
        target = memory_file()
        text = json.dumps({"version": __version__, "files": files})
        with suppress(OSError):
            target.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(target) as file:  # others may read and write at once
                file.write(text.encode())


def _read(path: Path) -> dict[str, tuple[Stamp, int]]:
    """What a file remembers; nothing if it is not there, damaged, or of another version, which may
    use other files."""
    try:
        memory = read_json(path)
    except ModelError:
        return {}
    files = memory.get("files")
    if memory.get("version") != __version__ or not isinstance(files, dict):
        return {}
    return {
        name: ((entry[0], entry[1]), entry[2])
        for name, entry in files.items()
        if isinstance(entry, list)
        and [type(value) for value in entry] == [int] * 3
        and entry[2] in (NOTHING, READS, SEES)
    }
