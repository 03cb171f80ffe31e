"""What can go wrong for a user. Every message says what was wrong, with which value, and the way
out."""


class PezError(Exception):
    """Base of every error that a user can cause and mend."""


class ConfigError(PezError):
    """A search setting is out of range."""


class TemplateError(PezError):
    """A prompt template cannot be understood or does not fit the context."""


class VocabularyError(PezError):
    """The chosen vocabulary leaves nothing to learn from, or a list cannot be read."""


class WeightsError(PezError):
    """A weights file is missing a part, damaged, or of a kind that is not read."""


class ModelError(PezError):
    """A model name is unknown, or the model cannot be had or does not fit."""


class PictureError(PezError):
    """A picture cannot be read or is too large."""


class TargetError(PezError):
    """The targets of a search are missing or contradict each other."""


class GuardError(PezError):
    """A guard has no concept, or what it is measured against will not do."""


class EditsError(PezError):
    """The edits of a prompt cannot be read."""


class SearchError(PezError):
    """A search has ended without a prompt that may be handed out."""


class ResultsError(PezError):
    """A results file is none, is in use, holds results of other settings, or cannot be written."""


class ClusterError(PezError):
    """Workers cannot be had, or keep dying."""


def first_line(error: BaseException) -> str:
    """What another library's error says in its first line, or else its kind."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
