"""Many pictures, with one record for each: the list of a folder's pictures, and the search for each
picture.

A few pictures are decoded ahead of the search. They are encoded one by one, just before their
search. So a folder of any size needs the memory of a few pictures, and no record depends on the
other pictures of the same batch.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from PIL import Image

from ..clip.image_tower import encode_pictures, load_image_tower
from ..clip.models import ClipModel, load_model
from ..compute.devices import find_device, find_dtype
from ..config import SearchConfig
from ..errors import PezError, PictureError, TargetError
from ..guard.guard import Guard
from ..picture_files.names import count_endings, ending, folder_endings
from ..pictures import decode_picture, read_picture
from ..prompt import LearnedPrompt
from ..search.searcher import Callback, learn_prompts
from ..targets import Targets, make_targets
from ..text.vocabulary import TokenMask
from .results import Key, Record, decisive, error_record
from .work import Do, Item

log = logging.getLogger(__name__)

Picture = tuple[str, Callable[[], Image.Image]]  # its name, and a function that opens it
T = TypeVar("T")
KINDS_SHOWN, LINKS_SHOWN = 12, 3  # in a message
AHEAD = 2  # pictures decoded before their turn; at most 48 MB each


@dataclass(frozen=True)
class LeftOut:
    """What a folder holds besides pictures: how many files of each ending, and the links to
    folders, which are not followed."""

    endings: dict[str, int]
    links: list[str]

    def __str__(self) -> str:
        """`15 other files left out: 12 .txt, 3 .mp4`, and the links."""
        total, kinds = sum(self.endings.values()), list(self.endings.items())
        each = [f"{count} {kind or 'without ending'}" for kind, count in kinds[:KINDS_SHOWN]]
        if len(kinds) > KINDS_SHOWN:
            each.append(f"{sum(count for _, count in kinds[KINDS_SHOWN:])} of other kinds")
        text = f"{total} other file{'' if total == 1 else 's'} left out"
        text += f": {', '.join(each)}" if each else ""
        if not self.links:
            return text
        more = ", …" if len(self.links) > LINKS_SHOWN else ""
        names = ", ".join(self.links[:LINKS_SHOWN])
        return f"{text}; links to folders are not followed: {names}{more}"


def list_pictures(folder: str | Path) -> tuple[list[str], LeftOut]:
    """The names of a folder's pictures, and what else it holds.

    Names are relative to the folder, with `/`, and sorted. Subfolders are included. Hidden files
    and folders are left out, and links to folders are not followed.
    Raises PictureError when the folder does not exist or holds no picture.
    """
    root, names, others, links = Path(folder), list[str](), list[str](), list[str]()
    if not root.is_dir():
        raise PictureError(
            f"{root}: a file, not a folder: use `pez invert {root}`"
            if root.exists()
            else f"{root}: no such folder"
        )
    endings = folder_endings()

    def unreadable(error: OSError) -> None:
        log.warning("%s cannot be read (%s): it is left out", error.filename, error.strerror)

    for where, folders, files in os.walk(root, onerror=unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(where, name) for name in folders)
        links += [path.relative_to(root).as_posix() for path in paths if path.is_symlink()]
        for name in files:
            if name.startswith("."):
                continue
            path = Path(where, name)
            if ending(name) in endings and not _is_device(path):
                names.append(path.relative_to(root).as_posix())
            else:
                others.append(name)
    left_out = LeftOut(count_endings(others), sorted(links))
    if not names:
        raise PictureError(
            f"{root} holds no picture: none of its files ends in .png, .jpg or another ending that "
            f"Pillow knows ({left_out})"
        )
    return sorted(names), left_out


def _is_device(path: Path) -> bool:
    """Whether it is a pipe or the like, which would have to be waited for. A link that leads
    nowhere is not."""
    return path.exists() and not path.is_file()


@dataclass(frozen=True)
class Job:
    """The request for every picture, as plain data that can be sent to another machine.

    model, tower: as for `load_model`. device: one of DEVICES. dtype: one of DTYPES. settings:
    additional entries for the results' `settings`. make_guard: returns the guard of the loaded
    model.
    """

    model: str
    template: str
    config: SearchConfig
    mask: TokenMask = field(repr=False)
    tower: str | None = None
    seed: int = 0
    device: str = "auto"
    dtype: str = "auto"
    settings: dict[str, Any] = field(default_factory=dict)
    make_guard: Callable[[ClipModel], Guard] | None = None

    def request_settings(self) -> dict[str, Any]:
        """The entries of the results' `settings` that the search does not add, as in `pez
        invert`."""
        return {"pictures": [], "texts": [], "negatives": [], **self.settings}

    def decisive(self) -> dict[str, Any]:
        """What `batch.results.decisive` returns for every record of this job."""
        settings = {"template": self.template, **self.config.to_json()}
        settings |= self.request_settings()
        return decisive({"model": self.model, "seed": self.seed, "settings": settings})


class Inverter:
    """The model of a job with its image tower, loaded once for any number of pictures.

    Raises whatever `load_model` and `load_image_tower` raise, and ConfigError for the device.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        device = find_device(job.device)
        self._dtype = find_dtype(job.dtype, device)
        half = self._dtype != torch.float32
        self.model = load_model(job.model, device, tower=job.tower, as_stored=half)
        self._guard = job.make_guard(self.model) if job.make_guard else None
        self._image_towers = {
            part.name: load_image_tower(part).to(self.model.device)
            for part in self.model.source.parts
        }

    def with_job(self, job: Job) -> Inverter:
        """An Inverter with the same loaded model and guard for another job: other settings or
        another template."""
        other = copy(self)
        other.job = job
        return other

    def records(
        self, pictures: Iterable[Picture], concurrency: int = 8, callback: Callback | None = None
    ) -> Iterator[Record]:
        """One record for every picture, as soon as it is ready, in no fixed order.

        concurrency: how many pictures are searched together. callback: as for `learn_prompts`.
        A picture that cannot be read, or for which no prompt is found, gets an error record.
        Raises whatever else `learn_prompts` raises.
        """
        job, failed, drawn = self.job, deque[Record](), dict[int, str]()
        results = learn_prompts(
            self.model,
            self._targets(opened(pictures), drawn, failed),
            job.template,
            at_once=concurrency,
            config=job.config,
            mask=job.mask,
            guard=self._guard,
            seed=job.seed,
            callback=callback,
            dtype=self._dtype,
            settings={
                **job.request_settings(),
                "device": str(self.model.device),
                "precision": str(self._dtype).removeprefix("torch."),
            },
        )
        for number, result in results:
            yield from _drain(failed)
            yield _record(drawn.pop(number), result)
        yield from _drain(failed)

    def _targets(
        self,
        images: Iterator[tuple[str, Future[Image.Image]]],
        drawn: dict[int, str],
        failed: deque[Record],
    ) -> Iterator[Targets]:
        """The targets of every readable picture; the other pictures become records in `failed`."""
        count = 0
        for name, image in images:
            try:
                targets = self.targets_of(name, image.result())
            except (PictureError, TargetError) as error:
                failed.append(error_record(name, error))
                continue
            drawn[count], count = name, count + 1
            yield targets

    def targets_of(self, name: str, image: Image.Image) -> Targets:
        """The targets of a picture. Raises TargetError when its feature is not usable."""
        source, device = self.model.source, self.model.device
        # Alone, as in `pez invert`: in a batch the last bits would depend on the other pictures.
        seen = encode_pictures(source, [image], device, lambda part: self._image_towers[part.name])
        return make_targets(seen, labels=[name])


def opened(pictures: Iterable[Picture]) -> Iterator[tuple[str, Future[Image.Image]]]:
    """Each name with the future of its picture. A thread decodes the next ones meanwhile."""
    waiting = deque[tuple[str, Future[Image.Image]]]()
    with ThreadPoolExecutor(1) as pool:
        for name, load in pictures:
            waiting.append((name, pool.submit(load)))
            if len(waiting) > AHEAD:
                yield waiting.popleft()
        yield from _drain(waiting)


def _drain(items: deque[T]) -> Iterator[T]:
    while items:
        yield items.popleft()


def _record(name: str, result: LearnedPrompt | PezError) -> Record:
    if isinstance(result, PezError):
        return error_record(name, result)
    record = {"picture": name, **result.to_json()}
    record["settings"] = {**result.settings, "pictures": [name]}
    return record


@dataclass(frozen=True)
class SearchWork:
    """The search of a job as a `batch.work.Work`. The content of an item is that of its picture's
    file, with the path for messages; the result is its record."""

    job: Job
    at_once: int = 8
    ahead: int = AHEAD + 1  # are decoded meanwhile
    doing: str = "searching"

    @property
    def device(self) -> str:
        return self.job.device

    def load(self) -> Do:
        inverter = Inverter(self.job)

        def do(batch: Sequence[tuple[Key, Any]]) -> Iterator[tuple[Key, Record]]:
            pictures = [(str(name), partial(decode_picture, *content)) for name, content in batch]
            for record in inverter.records(pictures, self.at_once):
                yield record["picture"], record

        return do


def picture_item(name: str, path: Path) -> Item:
    """A picture of a folder as an item of a `SearchWork`."""

    def read() -> tuple[tuple[bytes, str], int]:
        data = read_picture(path)
        return (data, str(path)), len(data)

    return Item(name, str(path), read)


def record_of(name: str, result: Record | PictureError) -> Record:
    """The record of a result of a `SearchWork`."""
    return error_record(name, result) if isinstance(result, PezError) else result
