"""Converts a checkpoint into the packaged files: fp16 weights, open_clip's config, the word list.

    python -m training.export --work DIR --config training/configs/demo.json --out FOLDER

The folder is in open_clip's own layout: `create_model_and_transforms("local-dir:FOLDER")`.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
from pathlib import Path

import torch
from open_clip.model import CLIP
from safetensors.torch import save_file
from torch import Tensor

from .checkpoint import expanded_state
from .config import MEAN, STD, VOCAB_SIZE, TrainConfig, load_config
from .sprites import load_cache
from .tokens import TokenTable
from .train import checkpoint_path

log = logging.getLogger(__name__)

MIN_COUNT_TOKEN = 30
"""A row seen less often is untrained and is exported as zero."""
MIN_COUNT_WORD = 100
"""A word must be seen this often to be available to a prompt search."""
STOP_WORDS = frozenset({"the", "and", "with", "for", "from", "not", "its", "are"})


def export_state(
    model: CLIP, table: TokenTable, token_counts: Tensor
) -> tuple[dict[str, Tensor], int]:
    """Weights in fp16 under open_clip's names, and the number of trained token rows.

    Rows of untrained tokens are exactly zero, so they have no direction and compress well.
    """
    state = expanded_state(model, table, VOCAB_SIZE)
    state = {k: v for k, v in state.items() if "num_batches_tracked" not in k}
    seen = token_counts[: len(table.clip_ids)] >= MIN_COUNT_TOKEN
    unseen = torch.tensor(table.clip_ids)[~seen]
    state["token_embedding.weight"][unseen] = 0
    for name, values in state.items():
        if not torch.isfinite(values.half()).all():
            raise ValueError(f"{name} does not fit into fp16; lower the learning rate")
    # fp16 would round the temperature noticeably.
    half = {k: (v.half() if v.ndim else v).contiguous() for k, v in state.items()}
    return half, int(seen.sum())


def frequent_words(table: TokenTable, concepts: list, token_counts: Tensor) -> list[str]:
    """Frequent caption words that are one CLIP token, in alphabetical order."""
    rows = table.single_word_rows(concepts)
    return sorted(
        word
        for word, row in rows.items()
        if token_counts[row] >= MIN_COUNT_WORD and word not in STOP_WORDS
    )


def open_clip_config(config: TrainConfig) -> dict:
    """The content of open_clip_config.json."""
    preprocess = {
        "mean": list(MEAN),
        "std": list(STD),
        "interpolation": "bicubic",
        "resize_mode": "shortest",
    }
    return {"model_cfg": config.model_cfg(), "preprocess_cfg": preprocess}


def replace_with(path: Path, write) -> None:
    """Let `write` fill a temporary file next to `path`, then rename it to `path`."""
    part = path.with_name(path.name + ".part")
    write(part)
    part.chmod(0o644)  # safetensors creates private files
    os.replace(part, path)


def export(config: TrainConfig, checkpoint: Path, cache: Path, out: Path) -> None:
    """Write open_clip_model.safetensors, open_clip_config.json and words.txt into `out`."""
    _, concepts, _, _ = load_cache(cache)
    table = TokenTable(concepts)
    saved = torch.load(checkpoint, weights_only=True)
    model = CLIP(**config.model_cfg(table.size))
    model.load_state_dict(saved["model"])
    state, trained = export_state(model, table, saved["token_counts"])
    words = frequent_words(table, concepts, saved["token_counts"])
    out.mkdir(parents=True, exist_ok=True)
    notes = {"format": "pt"}  # a second entry would make the order of the header's bytes random
    replace_with(
        out / "open_clip_model.safetensors", lambda path: save_file(state, path, metadata=notes)
    )
    text = json.dumps(open_clip_config(config), indent=2) + "\n"
    replace_with(out / "open_clip_config.json", lambda path: path.write_text(text))
    lines = "".join(f"{word}\n" for word in words)
    replace_with(out / "words.txt", lambda path: path.write_text(lines))
    log.info("step %d: %d trained tokens, %d whole words", saved["step"], trained, len(words))


def main() -> None:
    """Write the packaged files from the checkpoint of a run."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    checkpoint = checkpoint_path(arguments.work, arguments.config.stem)
    config = load_config(arguments.config)
    export(config, checkpoint, arguments.work / "cache", arguments.out)


if __name__ == "__main__":
    main()
