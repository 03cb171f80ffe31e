"""Optimisers of a population of prompts. Each is one file with a subclass of `Optimizer`.

`pez` is the default. `autoprompt`, `autoprompt_sgd`, `fluentprompt`, `soft` and
`stochastic_rounding` are baselines of the paper. `optimizer` is the base class, and `adamw` the
update of the embeddings.
"""

from .autoprompt import AutoPrompt
from .autoprompt_sgd import AutoPromptSGD
from .fluentprompt import FluentPrompt
from .optimizer import Optimizer
from .pez import Pez
from .soft import Soft
from .stochastic_rounding import StochasticRounding

# Keys: `config.OPTIMIZERS`.
OPTIMIZERS: dict[str, type[Optimizer]] = {
    "pez": Pez,
    "autoprompt_sgd": AutoPromptSGD,
    "fluentprompt": FluentPrompt,
    "autoprompt": AutoPrompt,
    "stochastic_rounding": StochasticRounding,
    "soft": Soft,
}

__all__ = ["OPTIMIZERS", "Optimizer", "Pez"]
