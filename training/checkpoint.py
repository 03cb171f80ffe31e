"""Saves a run so that it continues exactly where it stopped.

Batches and the randomness of the attack depend only on (seed, step), and the name bank is refreshed
right after a checkpoint. So the weights, the optimiser and a few tables are the whole state.
"""

from __future__ import annotations

import os
from pathlib import Path

import torch
from open_clip.model import CLIP
from torch import Tensor

from .attack import PromptAttack
from .tokens import TokenTable


def expanded_state(model: CLIP, table: TokenTable, vocab_size: int) -> dict[str, Tensor]:
    """The model's weights with the token rows at their places in CLIP's full vocabulary."""
    state = {k: v.detach().clone() for k, v in model.state_dict().items() if k != "attn_mask"}
    rows = state["token_embedding.weight"]
    full = rows.new_zeros(vocab_size, rows.shape[1])
    full[torch.tensor(table.clip_ids)] = rows[: len(table.clip_ids)]
    state["token_embedding.weight"] = full
    return state


def save_checkpoint(
    path: Path,
    step: int,
    model: CLIP,
    optimizer: torch.optim.Optimizer,
    attack: PromptAttack,
    token_counts: Tensor,
) -> None:
    """Write the state after `step` steps. It never leaves an incomplete file."""
    state = {
        "step": step,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "attack_memory": attack.memory,
        "token_counts": token_counts,
    }
    part = path.with_suffix(".part")
    torch.save(state, part)
    os.replace(part, path)


def resume(
    path: Path,
    model: CLIP,
    optimizer: torch.optim.Optimizer,
    attack: PromptAttack,
    token_counts: Tensor,
) -> int:
    """Load the checkpoint at `path` into the given objects, and return the number of steps done."""
    state = torch.load(path, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    attack.memory.copy_(state["attack_memory"])
    token_counts.copy_(state["token_counts"])
    return state["step"]
