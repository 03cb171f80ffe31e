"""The folder of an evaluation: its files, its locks, and the check that all files belong to one
plan.

prompts/METHOD.jsonl             a line for each picture, as `pez invert-folder` writes them
regenerated/METHOD/PICTURE.J.png image J that was painted from the prompt of PICTURE
regenerated.jsonl                a line for each painted picture and method
results.jsonl                    a line for each judged picture and method
table.md, table.csv, table.json  means and intervals
sheet.png                        the originals next to the painted pictures
"""

from __future__ import annotations

import io
import os
from contextlib import ExitStack
from pathlib import Path

from PIL import Image

from ..batch.results import ResultsFile, reported_file, way_to
from ..errors import ConfigError, PictureError, ResultsError
from .plan import Plan

PAIR = ("picture", "method")
PROMPTED = ("prompt", "similarity")  # entries of each kind of line
PAINTED = (*PROMPTED, "images", "seeds", "painter")
JUDGED = (*PAINTED, "tokens", "judge", "judged")
MOST_NAME = 255  # bytes, on most file systems
WAY_OUT = "give the same settings, or another --out"
AGAIN = ", and run the same command again"


class EvaluationFolder:
    """The folder of an evaluation, created if missing, with its files open and locked.

    Raises ConfigError when it lies within the folder of pictures, and ResultsError when it is in
    use, holds results of another plan, or cannot be written.
    """

    def __init__(self, path: str | Path, plan: Plan) -> None:
        if not str(path):
            raise ConfigError("out must be the name of a folder, got ''")
        self.path = Path(path)
        here, pictures = self.path.resolve(), plan.pictures.resolve()
        if here == pictures or pictures in here.parents:
            raise ConfigError(
                f"{self.path} lies in {plan.pictures}, so painted pictures would become pictures "
                "to evaluate: give another --out"
            )
        self._make(self.path / "prompts")
        self._open = ExitStack()
        try:
            self.results = self._opened("results.jsonl", PAIR, JUDGED)
            self.painted = self._opened("regenerated.jsonl", PAIR, PAINTED)
            self.prompts = {
                method: self._opened(f"prompts/{method}.jsonl", PAIR[:1], PROMPTED)
                for method in plan.methods
            }
            self.results.require(plan.judged(), WAY_OUT)
            self.painted.require(plan.painted(), WAY_OUT)
            for method, file in self.prompts.items():
                file.require(plan.prompted(method), WAY_OUT)
        except BaseException:
            self.close()
            raise

    def image(self, method: str, picture: str, number: int) -> Path:
        """The path of a painted image."""
        return self.path / "regenerated" / method / f"{picture}.{number}.png"

    def save(self, image: bytes, path: Path) -> str:
        """Write an image file so that it is whole or absent. Returns its path relative to the
        folder. Raises PictureError for a name that is too long."""
        if len(os.fsencode(path.name)) > MOST_NAME:
            raise PictureError(f"the name of {path.name:.40}… is too long for its painted pictures")
        self._make(path.parent)
        with reported_file(path, AGAIN) as file:
            file.write(image)
        return path.relative_to(self.path).as_posix()

    def write(self, name: str, text: str) -> Path:
        """Write a text file, which replaces the previous one."""
        path = self.path / name
        with reported_file(path, AGAIN) as file:
            file.write(text.encode())
        return path

    def close(self) -> None:
        self._open.close()

    def __enter__(self) -> EvaluationFolder:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _opened(self, name: str, keys: tuple[str, ...], needs: tuple[str, ...]) -> ResultsFile:
        return self._open.enter_context(ResultsFile(self.path / name, keys, needs))

    @staticmethod
    def _make(folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ResultsError(
                f"cannot make the folder {folder}: {error.strerror}; {way_to(error)}"
            ) from error


def png_file(image: Image.Image) -> bytes:
    """The bytes of an image's file."""
    file = io.BytesIO()
    image.save(file, "png")
    return file.getvalue()
