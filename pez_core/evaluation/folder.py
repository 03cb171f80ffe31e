"""The folder of an evaluation: what lies where, who may write it, and that it is all of one plan.

prompts/METHOD.jsonl             a line a picture, as `pez invert-folder` writes them
regenerated/METHOD/PICTURE.J.png image J that was painted from the prompt of PICTURE
regenerated.jsonl                a line for each picture and method that is painted
results.jsonl                    a line for each picture and method that is judged
table.md, table.csv, table.json  means and intervals
sheet.png                        pictures beside what came of them
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

from PIL import Image

from ..batch.results import ResultsFile, way_to
from ..errors import ConfigError, ResultsError
from .plan import Plan

PAIR = ("picture", "method")
WAY_OUT = "give the same ones, or another --out"


class EvaluationFolder:
    """The folder, made where it is missing, with its files open and locked.

    Raises ConfigError when it lies among the pictures, ResultsError when it is in use, holds
    results of another plan, or cannot be written.
    """

    def __init__(self, path: str | Path, plan: Plan) -> None:
        self.path = Path(path)
        here, pictures = self.path.resolve(), plan.pictures.resolve()
        if here == pictures or pictures in here.parents:
            raise ConfigError(
                f"{self.path} lies in {plan.pictures}, so that what is painted would be taken for "
                "pictures to evaluate: give another --out"
            )
        self._make(self.path / "prompts")
        self._open = ExitStack()
        try:
            self.results = self._opened("results.jsonl", PAIR)
            self.painted = self._opened("regenerated.jsonl", PAIR)
            self.prompts = {m: self._opened(f"prompts/{m}.jsonl") for m in plan.methods}
            self.results.require(plan.judged(), WAY_OUT)
            self.painted.require(plan.painted(), WAY_OUT)
            for method, file in self.prompts.items():
                file.require(plan.prompted(method), WAY_OUT)
        except BaseException:
            self.close()
            raise

    def image(self, method: str, picture: str, number: int) -> Path:
        """Where a painted image belongs."""
        return self.path / "regenerated" / method / f"{picture}.{number}.png"

    def save(self, image: Image.Image, path: Path) -> str:
        """Writes an image so that it is whole or not there; its path below the folder."""
        self._make(path.parent)
        torn = path.with_name(f"{path.name}.part")
        try:
            with torn.open("wb") as file:
                image.save(file, "png")
                file.flush()
                os.fsync(file.fileno())
            torn.replace(path)
        except OSError as error:
            raise ResultsError(
                f"cannot write {path}: {error.strerror}; make room and give the same command again"
            ) from error
        return path.relative_to(self.path).as_posix()

    def write(self, name: str, text: str) -> Path:
        """Writes a text file in place of the one before."""
        path = self.path / name
        torn = path.with_name(f"{name}.part")
        try:
            torn.write_text(text, encoding="utf-8", newline="\n")
            torn.replace(path)
        except OSError as error:
            raise ResultsError(f"cannot write {path}: {error.strerror}; {way_to(error)}") from error
        return path

    def close(self) -> None:
        self._open.close()

    def __enter__(self) -> EvaluationFolder:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _opened(self, name: str, keys: tuple[str, ...] = ("picture",)) -> ResultsFile:
        return self._open.enter_context(ResultsFile(self.path / name, keys))

    @staticmethod
    def _make(folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ResultsError(
                f"cannot make the folder {folder}: {error.strerror}; {way_to(error)}"
            ) from error
