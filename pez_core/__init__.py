"""Learns hard text prompts from pictures and texts (PEZ, arXiv 2302.03668).

from pez_core import learn_prompt, load_model, make_targets, open_picture

model = load_model("demo")
targets = make_targets(model.encode_pictures([open_picture("photo.png")]))
print(learn_prompt(model, targets).best.text)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .clip.models import ClipModel, load_model
    from .config import PRESETS, SearchConfig
    from .errors import PezError
    from .guard.guard import Guard, make_guard
    from .painter.pipeline import Painter, load_painter
    from .pictures import open_picture
    from .prompt import Candidate, LearnedPrompt, Token
    from .search.searcher import Searcher, StepInfo, learn_prompt, learn_prompts, prepare_search
    from .targets import Targets, join_targets, make_targets
    from .text.vocabulary import TokenMask, make_mask

__all__ = [
    "PRESETS",
    "Candidate",
    "ClipModel",
    "Guard",
    "LearnedPrompt",
    "Painter",
    "PezError",
    "SearchConfig",
    "Searcher",
    "StepInfo",
    "Targets",
    "Token",
    "TokenMask",
    "__version__",
    "join_targets",
    "learn_prompt",
    "learn_prompts",
    "load_model",
    "load_painter",
    "make_guard",
    "make_mask",
    "make_targets",
    "open_picture",
    "prepare_search",
]

_HOMES = {
    "Candidate": "prompt",
    "ClipModel": "clip.models",
    "Guard": "guard.guard",
    "LearnedPrompt": "prompt",
    "PRESETS": "config",
    "Painter": "painter.pipeline",
    "PezError": "errors",
    "SearchConfig": "config",
    "Searcher": "search.searcher",
    "StepInfo": "search.searcher",
    "Targets": "targets",
    "Token": "prompt",
    "TokenMask": "text.vocabulary",
    "join_targets": "targets",
    "learn_prompt": "search.searcher",
    "learn_prompts": "search.searcher",
    "load_model": "clip.models",
    "load_painter": "painter.pipeline",
    "make_guard": "guard.guard",
    "make_mask": "text.vocabulary",
    "make_targets": "targets",
    "open_picture": "pictures",
    "prepare_search": "search.searcher",
}


def __getattr__(name: str) -> Any:
    """Return a name, imported on first use: torch alone takes seconds to import (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
