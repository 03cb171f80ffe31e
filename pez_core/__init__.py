"""Learns hard text prompts from pictures and texts (PEZ, arXiv 2302.03668). Knows nothing of
ComfyUI.

from pez_core import learn_prompt, load_model, make_targets, open_picture

model = load_model("demo")
targets = make_targets(model.encode_pictures([open_picture("photo.png")]))
print(learn_prompt(model, targets).best.text)
"""

from .config import PRESETS, SearchConfig
from .errors import PezError
from .models import ClipModel, load_model
from .pictures import open_picture
from .prompt import Candidate, LearnedPrompt, Token
from .search import StepInfo, learn_prompt
from .targets import Targets, join_targets, make_targets
from .version import __version__
from .vocabulary import TokenMask, make_mask

__all__ = [
    "PRESETS",
    "Candidate",
    "ClipModel",
    "LearnedPrompt",
    "PezError",
    "SearchConfig",
    "StepInfo",
    "Targets",
    "Token",
    "TokenMask",
    "__version__",
    "join_targets",
    "learn_prompt",
    "load_model",
    "make_mask",
    "make_targets",
    "open_picture",
]
