"""Trains a painter: one seeded run, on a CPU or a CUDA device, in bfloat16.

    python -m training.painter.train --drawings DIR/drawings.zip --work DIR \\
        --config training/configs/painter.json

It continues from DIR/<config name>.ckpt if that exists.
"""

from __future__ import annotations

import argparse
import copy
import logging
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pez_core.painter.demo import build_scheduler
from pez_core.painter.denoiser import PatchDenoiser
from pez_core.painter.text_encoder import build_text_encoder

from .config import ROOT, PainterConfig, load_painter_config
from .pool import Pool, compose, token_ids

log = logging.getLogger(__name__)

LOG_EVERY = 100


def learning_rate(config: PainterConfig, step: int) -> float:
    """Linear warm-up, the full rate, then a half cosine that ends at 0."""
    warm = min(1.0, (step + 1) / config.warmup)
    fallen = max(0.0, step / config.steps - config.hold) / (1 - config.hold)
    return config.lr * warm * (0.5 + 0.5 * math.cos(math.pi * fallen))


def make_optimizer(model: torch.nn.Module, config: PainterConfig) -> torch.optim.AdamW:
    """AdamW that decays only matrices and kernels."""
    decayed = [w for w in model.parameters() if w.ndim >= 2 and w.shape[0] > 1]
    plain = [w for w in model.parameters() if w.ndim < 2 or w.shape[0] == 1]
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.lr, betas=(0.9, 0.98), fused=True)


class PainterTrainer:
    """One run: the model, its moving average, the optimiser. build: makes another model, which is
    called like a PatchDenoiser."""

    def __init__(
        self,
        config: PainterConfig,
        device: torch.device,
        build: Callable[..., torch.nn.Module] = PatchDenoiser,
    ) -> None:
        torch.manual_seed(config.seed)  # of the initial weights
        self.config, self.device = config, device
        self.model = build(**config.model).to(device)
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.optimizer = make_optimizer(self.model, config)
        self.text_encoder = build_text_encoder(ROOT / config.clip).to(device)
        self.empty = token_ids([""]).to(device)
        kept = build_scheduler().alphas_cumprod.to(device)  # (1000,)
        self.signal, self.noise = kept.sqrt(), (1 - kept).sqrt()
        self.step = 0
        self.predict = torch.compile(self.model)  # twice as fast, on a CPU too

    def run_step(self, pool: Pool, rate: float) -> Tensor:
        """One optimiser step on a pool, which may lie on the device. Returns the loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss = self.loss(pool, self.predict)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        decay = min(self.config.average, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(
            list(self.average.parameters()), list(self.model.parameters()), 1 - decay
        )
        self.step += 1
        return loss.detach()

    def loss(self, pool: Pool, predict: Callable[..., Any]) -> Tensor:
        """The mean squared error of the clean picture, weighted by time, over a batch that depends
        on the seed and the step."""
        config, device = self.config, self.device
        seed = config.seed * 1_000_003 + self.step
        generator = torch.Generator().manual_seed(seed)
        rows = torch.randint(len(pool.pictures), (config.batch,), generator=generator)
        drawn = torch.randn(config.batch, generator=generator)
        empty = torch.rand(config.batch, generator=generator) < config.empty_share
        times = torch.sigmoid(config.time_centre + config.time_spread * drawn)
        steps = (times * len(self.signal)).long().to(device)
        rows = rows.to(pool.pictures.device)
        pictures = pool.pictures[rows].to(device).float() / 127.5 - 1
        ids = torch.where(empty[:, None].to(device), self.empty, pool.ids[rows].to(device))
        on_device = torch.Generator(device).manual_seed(seed)
        noise = torch.randn(pictures.shape, generator=on_device, device=device)
        signal, sigma = (level[steps].view(-1, 1, 1, 1) for level in (self.signal, self.noise))
        noisy = signal * pictures + sigma * noise
        with torch.autocast(device.type, torch.bfloat16):
            with torch.no_grad():
                text = self.text_encoder(ids.long(), output_hidden_states=True)
            # What a StableDiffusionXLPipeline gives its UNet.
            words, feature = text.hidden_states[-2], {"text_embeds": text.text_embeds}
            painted = predict(noisy, steps, words, feature, return_dict=False)[0]
        error = (painted.float() - pictures).square().mean((1, 2, 3))
        return (error / sigma.flatten().square().clamp_min(config.least_variance)).mean()

    def save(self, path: Path) -> None:
        """Write the whole state. It never leaves an incomplete file."""
        state = {
            "step": self.step,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        part = path.with_suffix(".part")
        torch.save(state, part)
        os.replace(part, path)

    def resume(self, path: Path) -> None:
        """Continue from the state at `path`."""
        state = torch.load(path, weights_only=True, map_location=self.device)
        self.step = state["step"]
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])


def train(config: PainterConfig, drawings: Path, path: Path, device: torch.device) -> None:
    """Run or finish the training whose state is at `path`."""
    trainer = PainterTrainer(config, device)
    if path.exists():
        trainer.resume(path)
        log.info("resumes at step %d", trainer.step)
    began, first, losses, number = time.perf_counter(), trainer.step, [], -1
    while trainer.step < config.steps:
        if trainer.step * config.pools // config.steps != number:
            number = trainer.step * config.pools // config.steps
            pool = _pool(config, drawings, number, device)
        losses.append(trainer.run_step(pool, learning_rate(config, trainer.step)))
        if trainer.step % LOG_EVERY == 0:
            spent = time.perf_counter() - began
            log.info(
                "step %d/%d loss %.4f (%.0f s, %.1f pictures/s)",
                trainer.step, config.steps, torch.stack(losses).mean(), spent,
                (trainer.step - first) * config.batch / spent,
            )  # fmt: skip
            losses.clear()
        if trainer.step % config.checkpoint_every == 0 or trainer.step == config.steps:
            trainer.save(path)


def _pool(config: PainterConfig, drawings: Path, number: int, device: torch.device) -> Pool:
    """A pool of the run, on the device."""
    size, processes = config.model["sample_size"], os.cpu_count() or 1
    pool = compose(drawings, config.pool, size, f"{config.seed}/{number}", processes)
    return Pool(pool.pictures.to(device), pool.ids.to(device))


def main() -> None:
    """Train a painter from packed drawings."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--drawings", type=Path, required=True, help="made by painter.drawings")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    arguments.work.mkdir(parents=True, exist_ok=True)
    path = arguments.work / f"{arguments.config.stem}.ckpt"
    config = load_painter_config(arguments.config)
    train(config, arguments.drawings, path, torch.device(arguments.device))


if __name__ == "__main__":
    main()
