"""Hard prompts for a frozen causal language model (arXiv 2302.03668 §4.3), text only.

The model reads the learned tokens, then the input. Its next token, one of the verbaliser words, is
its answer. `search` learns a prompt: `label_loss` is its objective, `settings` its configuration,
`results` its output, and the loop and the optimisers are those of `pez_core.search`. `examples`
reads labelled texts. `measure` scores a text. `comparison` compares methods and seeds. `model` and
`sentence_encoder` hold the networks, `loading` loads them, and `tokens` selects the tokens that can
be learned. `inversion` finds words for the embedding of a sentence encoder.
Needs transformers: pip install 'transformers>=4.56'.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .comparison import Comparison, Method, add_model, compare_texts, text_method
    from .examples import Example, read_examples
    from .inversion import invert_sentence
    from .measure import Measure, score_text
    from .model import LanguageModel, load_language_model
    from .results import LearnedText, TextCandidate
    from .search import TextStep, learn_text_prompt
    from .sentence_encoder import SentenceEncoder, load_sentence_encoder
    from .settings import TextConfig

__all__ = [
    "Comparison",
    "Example",
    "LanguageModel",
    "LearnedText",
    "Measure",
    "Method",
    "SentenceEncoder",
    "TextCandidate",
    "TextConfig",
    "TextStep",
    "add_model",
    "compare_texts",
    "invert_sentence",
    "learn_text_prompt",
    "load_language_model",
    "load_sentence_encoder",
    "read_examples",
    "text_method",
    "score_text",
]

_HOMES = {
    "Comparison": "comparison",
    "Example": "examples",
    "LanguageModel": "model",
    "LearnedText": "results",
    "Measure": "measure",
    "Method": "comparison",
    "SentenceEncoder": "sentence_encoder",
    "TextCandidate": "results",
    "TextConfig": "settings",
    "TextStep": "search",
    "add_model": "comparison",
    "compare_texts": "comparison",
    "invert_sentence": "inversion",
    "learn_text_prompt": "search",
    "load_language_model": "model",
    "load_sentence_encoder": "sentence_encoder",
    "read_examples": "examples",
    "score_text": "measure",
    "text_method": "comparison",
}


def __getattr__(name: str) -> Any:
    """Return a name, imported on first use: `settings` alone does not need torch (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
