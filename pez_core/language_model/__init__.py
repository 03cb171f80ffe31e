"""Hard prompts for a frozen causal language model (arXiv 2302.03668 §4.3), text only.

Learned tokens stand in front of an input; the model's next token behind it, one of the verbaliser
words, is its answer. The optimisers are CLIP's (`optimizers`), the objective is `label_loss`. And
back from a sentence encoder's embeddings to words (`inversion`). Needs transformers: pip install
'pez-prompts[lm]'.
"""

from .comparison import Comparison, Method, carried, compare_texts, text_method
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
    "carried",
    "compare_texts",
    "invert_sentence",
    "learn_text_prompt",
    "load_language_model",
    "load_sentence_encoder",
    "read_examples",
    "text_method",
    "score_text",
]
