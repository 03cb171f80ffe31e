"""The errors that a user can meet. Every message says what is wrong, with which value, and what to
do."""

from __future__ import annotations

import re

# Control characters, lone surrogates, and what changes the direction of a line. They come from
# names of files and from configurations.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class PezError(Exception):
    """Base of every error that a user can cause and fix."""


class ConfigError(PezError):
    """A search setting is out of range."""


class TextError(PezError):
    """A text is longer than can be read."""


class TemplateError(PezError):
    """A prompt template cannot be parsed or does not fit the context."""


class VocabularyError(PezError):
    """The chosen vocabulary holds no usable token, or a list cannot be read."""


class WeightsError(PezError):
    """A weights file is incomplete, damaged, or of an unsupported kind."""


class ModelError(PezError):
    """A model name is unknown, or the model is unavailable or does not fit."""


class NotDownloadedError(ModelError):
    """Weights are not on this machine and could not be downloaded. reason: why. file: what is
    missing, and where it is to be had."""

    def __init__(self, message: str, reason: str = "", file: str = "") -> None:
        super().__init__(message)
        self.reason, self.file = reason, file


class PictureError(PezError):
    """A picture cannot be read or is too large."""


class TargetError(PezError):
    """The targets of a search are missing or contradict each other."""


class GuardError(PezError):
    """A guard has no concept, or its neutral prompts are not usable."""


class EditsError(PezError):
    """The edits of a prompt cannot be read."""


class SearchError(PezError):
    """A search ended without a permitted prompt."""


class ResultsError(PezError):
    """A file is not a results file, is in use, holds results of other settings, or cannot be
    written."""


class OutputError(PezError):
    """Standard output cannot be written."""


class ClusterError(PezError):
    """Workers are unavailable, or keep dying."""


def first_line(error: BaseException) -> str:
    """The first line of another library's error message, or the error's type if the message is
    empty."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def is_text(text: str) -> bool:
    """Whether a text can be written as UTF-8. Half a character, or a byte that is not UTF-8 on a
    command line, cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(text: str) -> str:
    """A text as one line that does nothing to a terminal: control characters become escapes."""
    return _UNSAFE.sub(lambda match: ascii(match.group())[1:-1], text)
