"""Ways to move a population of prompts; each is one file and follows the protocol of `Optimizer`.

`pez` is the product's; the others are the baselines that the paper names, for comparison.
"""

from .autoprompt import AutoPrompt
from .autoprompt_sgd import AutoPromptSGD
from .fluentprompt import FluentPrompt
from .optimizer import Optimizer
from .pez import Pez
from .soft import Soft
from .stochastic_rounding import StochasticRounding

# By the names of `config.OPTIMIZERS`.
OPTIMIZERS: dict[str, type[Optimizer]] = {
    "pez": Pez,
    "autoprompt_sgd": AutoPromptSGD,
    "fluentprompt": FluentPrompt,
    "autoprompt": AutoPrompt,
    "stochastic_rounding": StochasticRounding,
    "soft": Soft,
}

__all__ = ["OPTIMIZERS", "Optimizer", "Pez"]
