"""What the options of a search ask for, read once from the parsed arguments."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..compute.devices import find_device, find_dtype
from ..config import PRESETS, SearchConfig
from ..errors import VocabularyError
from ..options import SETTINGS
from ..text.bans import split_bans
from ..text.line_files import read_lines
from ..text.template import plain_template
from ..text.vocabulary import TokenMask, Vocabulary, make_mask
from .avoid import AvoidRequest, avoid_request
from .options import TOKENS

if TYPE_CHECKING:
    import torch

    from ..clip.models import ClipModel


@dataclass(frozen=True)
class ModelRequest:
    """A model by its name, and where and how to search: one of DEVICES, one of DTYPES."""

    name: str
    tower: str | None
    device: str
    dtype: str

    def open(self) -> tuple[ClipModel, torch.dtype]:
        """The model on its device, and the precision to search in."""
        import torch

        from ..clip.models import load_model

        device = find_device(self.device)
        dtype = find_dtype(self.dtype, device)
        as_stored = dtype != torch.float32
        return load_model(self.name, device, tower=self.tower, as_stored=as_stored), dtype


@dataclass(frozen=True)
class SearchRequest:
    """A model, the settings of a search, and the words that it may use.

    vocabulary: one of KINDS, None for the usual one. ban: words, as `make_mask` takes them. allow:
    a file of words.
    """

    model: ModelRequest
    config: SearchConfig
    template: str
    vocabulary: str | None
    ban: tuple[str, ...]
    allow: str | None
    avoid: AvoidRequest
    seed: int

    def mask(self, vocabulary: Vocabulary, words: Iterable[str] | None) -> TokenMask:
        """The tokens that may be learned. words: those that the model knows. Raises
        VocabularyError."""
        return make_mask(
            vocabulary,
            self.vocabulary,
            ban=self.ban,
            allow=None if self.allow is None else read_lines(self.allow, VocabularyError),
            words=words,
        )

    def settings(self, mask: TokenMask) -> dict[str, Any]:
        """The entries of a result's `settings` for the vocabulary, the precision and the concepts.

        The vocabulary is the requested one: a guard removes more words during the search, which
        adds them to the settings.
        """
        return {**mask.settings, "dtype": self.model.dtype, **self.avoid.settings()}


def search_request(arguments: argparse.Namespace) -> SearchRequest:
    """Raises ConfigError for a setting out of range, and GuardError as `avoid_request` does."""
    config = search_config(arguments)
    tokens = TOKENS if arguments.tokens is None else arguments.tokens
    template = plain_template(tokens) if arguments.template is None else arguments.template
    return SearchRequest(
        ModelRequest(arguments.model, arguments.tower, arguments.device, arguments.dtype),
        config,
        template,
        arguments.vocabulary,
        tuple(word for group in arguments.ban for word in split_bans(group)),
        arguments.allow,
        avoid_request(arguments),
        arguments.seed,
    )


def search_config(arguments: argparse.Namespace) -> SearchConfig:
    """The preset with the given settings. Raises ConfigError."""
    given = vars(arguments)
    changes = {name: given[name] for name in SETTINGS if given.get(name) is not None}
    return PRESETS[arguments.preset].replace(**changes)
