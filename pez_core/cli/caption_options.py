"""The options of `pez invert-folder` for caption files, and where its results go with them."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from ..batch.caption_files import CaptionFiles
from ..errors import ConfigError, is_text

LINES = "prompts.jsonl"  # the results file of a run that was not given one


@dataclass(frozen=True)
class CaptionRequest:
    """folder: where the captions go. prefix, suffix: words around each prompt. overwrite: whether
    files of another text are replaced."""

    folder: Path
    prefix: str
    suffix: str
    overwrite: bool

    def settings(self) -> dict[str, str]:
        """The entries of a result's `settings`, so that a later run with other words is refused."""
        words = {"prefix": self.prefix, "suffix": self.suffix}
        return {name: text for name, text in words.items() if text}

    def files(self, names: list[str]) -> CaptionFiles:
        """The caption files of these pictures. Raises ResultsError."""
        return CaptionFiles(
            self.folder,
            names,
            prefix=self.prefix,
            suffix=self.suffix,
            overwrite=self.overwrite,
        )


def add_caption_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "captions for training",
        "One line of UTF-8 per file: PREFIX, PROMPT, SUFFIX. An existing file is kept, and its "
        "picture is not searched.",
    )
    add = group.add_argument
    add(
        "--txt",
        action="store_true",
        help="write a caption for each picture: photo.txt for photo.jpg, next to it or below "
        f"FOLDER; the lines go to {LINES} in DIR or FOLDER, or to FILE",
    )
    add("--prefix", default="", metavar="WORDS", help="begin each caption so: a trigger word")
    add("--suffix", default="", metavar="WORDS", help="end each caption so")
    add("--overwrite", action="store_true", help="replace captions that hold another text")


def caption_request(arguments: argparse.Namespace) -> tuple[str, CaptionRequest | None]:
    """The path of the results file, and the captions if there are any. Raises ConfigError."""
    out = arguments.out
    if not arguments.txt:
        for name in ("prefix", "suffix", "overwrite"):
            if getattr(arguments, name):
                raise ConfigError(f"--{name} works only with --txt: give both or neither")
        if out is None:
            raise ConfigError("nothing to write: give --out FILE, --txt, or both")
        return out, None
    if out is None:
        lines, folder = Path(arguments.folder, LINES), Path(arguments.folder)
    elif not Path(out).is_dir() and (Path(out).is_file() or out.lower().endswith(".jsonl")):
        lines, folder = Path(out), Path(arguments.folder)
    else:
        lines, folder = Path(out, LINES), Path(out)
    prefix, suffix = _words("prefix", arguments.prefix), _words("suffix", arguments.suffix)
    return str(lines), CaptionRequest(folder, prefix, suffix, arguments.overwrite)


def _words(name: str, given: str) -> str:
    """The words around a prompt, on one line and without commas at their ends."""
    words = " ".join(given.split()).strip(", ")
    if not is_text(words):
        raise ConfigError(f"--{name} is not text: it holds bytes that are not UTF-8")
    return words
