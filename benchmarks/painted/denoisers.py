"""Is a standard UNet as good a denoiser at this size? Trains several for the same time.

    python -m benchmarks.painted.denoisers --drawings drawings.zip [--seconds 600] [--save]

All have about 6.4 million weights, learn from the same pictures with the same loss, and read the
same states of words and the same feature of the text. The UNets are diffusers' own, on pixels and
on patches of 4 x 4 pixels. The table has the loss on pictures that none was trained on, by the
moving average of the weights. On a busy machine all of them learn less.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional as F

from pez_core.painter.denoiser import PatchDenoiser
from training.painter.config import ROOT, load_painter_config
from training.painter.pool import Pool, compose
from training.painter.train import PainterTrainer, learning_rate

from ..measure import machine, markdown, save

CONFIG = ROOT / "training" / "configs" / "painter.json"
HELD_OUT = 50  # batches


class UNet(nn.Module):
    """A UNet of diffusers on patches of `patch` x `patch` pixels, called like a PatchDenoiser."""

    def __init__(self, patch: int, channels: tuple[int, ...], size: int = 48) -> None:
        super().__init__()
        self.patch = patch
        self.unet = UNet2DConditionModel(
            sample_size=size // patch,
            in_channels=3 * patch**2,
            out_channels=3 * patch**2,
            block_out_channels=channels,
            layers_per_block=1,
            down_block_types=("DownBlock2D", *["CrossAttnDownBlock2D"] * (len(channels) - 1)),
            up_block_types=(*["CrossAttnUpBlock2D"] * (len(channels) - 1), "UpBlock2D"),
            cross_attention_dim=128,
            attention_head_dim=32,
            class_embed_type="projection",
            projection_class_embeddings_input_dim=192,
        )

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor,
        words: Tensor,
        added: Mapping[str, Tensor],
        return_dict: bool = False,
    ) -> tuple[Tensor]:
        text = F.normalize(added["text_embeds"].float(), dim=-1) * 192**0.5
        x = F.pixel_unshuffle(sample, self.patch)
        painted = self.unet(x, timestep, words, class_labels=text).sample
        return (F.pixel_shuffle(painted, self.patch),)


DENOISERS: dict[str, tuple[Callable[..., nn.Module], float]] = {  # with their learning rates
    "transformer of patches": (PatchDenoiser, 2.5e-3),
    "UNet on patches of 4 x 4": (lambda **_: UNet(4, (96, 160)), 1e-3),
    "UNet on pixels": (lambda **_: UNet(1, (32, 64, 96, 128)), 1e-3),
}


def train(name: str, rate: float, pool: Pool, held_out: Pool, seconds: float) -> dict[str, Any]:
    """Train a denoiser for some time, compiling not counted. Its rate falls with the time."""
    config = replace(load_painter_config(CONFIG), lr=rate, steps=1000, warmup=60)
    trainer = PainterTrainer(config, torch.device("cpu"), DENOISERS[name][0])
    trainer.run_step(pool, 0.0)  # compiles
    began = time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        share = int(config.steps * spent / seconds)
        warm = min(1.0, trainer.step / config.warmup)
        trainer.run_step(pool, warm * learning_rate(replace(config, warmup=1), share))
    steps, losses = trainer.step, []
    with torch.no_grad():
        for trainer.step in range(HELD_OUT):  # the same noises for all
            losses.append(trainer.loss(held_out, trainer.average).item())
    weights = sum(weight.numel() for weight in trainer.model.parameters())
    return {
        "denoiser": name, "rate": rate, "weights": weights, "steps": steps,
        "pictures per second": steps * config.batch / seconds, "loss": sum(losses) / HELD_OUT,
    }  # fmt: skip


def main() -> None:
    """Train each, and print the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--drawings", type=Path, required=True, help="of training.painter.drawings")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--pool", type=int, default=50_000)
    parser.add_argument("--only", nargs="+", default=list(DENOISERS), choices=list(DENOISERS))
    parser.add_argument("--save", action="store_true", help="write results/painted_denoisers.json")
    options = parser.parse_args()
    pool, held_out = (
        compose(options.drawings, count, 48, seed, 2)
        for count, seed in ((options.pool, "denoisers"), (2048, "held out"))
    )
    rows = []
    for name in options.only:
        rows.append(train(name, DENOISERS[name][1], pool, held_out, options.seconds))
        print(rows[-1], flush=True)
    head = ["denoiser", "weights", "pictures per second", "loss"]
    table = [
        [
            row["denoiser"], f"{row['weights'] / 1e6:.1f} M",
            f"{row['pictures per second']:.0f}", f"{row['loss']:.4f}",
        ]
        for row in rows
    ]  # fmt: skip
    print(*markdown(head, table), sep="\n")
    if options.save:
        about = {"machine": machine(torch.get_num_threads()), "seconds": options.seconds}
        print(save("painted_denoisers", {**about, "rows": rows}))


if __name__ == "__main__":
    main()
