"""Ways to move a population of prompts; each is one file and follows the protocol of `pez.Pez`."""

from .pez import Pez

__all__ = ["Pez"]
