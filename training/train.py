"""The training loop: contrastive loss, name bank, adversarial prompts; one seeded run.

    python -m training.train --work DIR --config training/configs/demo.json

It continues from DIR/<config name>.ckpt if that exists.
"""

from __future__ import annotations

import argparse
import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
import torch.nn.functional as functional
from open_clip.model import CLIP
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from .attack import PromptAttack
from .bank import NameBank
from .batches import Batch, BatchMaker
from .checkpoint import resume, save_checkpoint
from .config import TrainConfig, load_config
from .features import picture_features, token_features
from .replicas import Replicas
from .tokens import TokenTable

log = logging.getLogger(__name__)

MAX_LOGIT_SCALE = math.log(100)
LOG_EVERY = 50


@dataclass(frozen=True)
class StepReport:
    """The figures of one step."""

    loss: float
    accuracy: float
    name_accuracy: float
    true_similarity: float
    wrong_similarity: float


def learning_rate(config: TrainConfig, step: int) -> float:
    """Linear warm-up, then a half cosine that ends near 0."""
    warm = min(1.0, (step + 1) / config.warmup)
    return config.lr * warm * (0.5 + 0.5 * math.cos(math.pi * step / config.steps))


def make_optimizer(model: CLIP, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW that decays only matrices and kernels."""
    decayed, plain = [], []
    for name, weight in model.named_parameters():
        (decayed if weight.ndim >= 2 and "embedding" not in name else plain).append(weight)
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.lr, betas=(0.9, 0.98), eps=1e-6, fused=True)


class Trainer:
    """One run: model, data, and the extra negatives."""

    def __init__(self, config: TrainConfig, maker: BatchMaker, replicas: Replicas) -> None:
        torch.manual_seed(config.seed)  # open_clip uses this generator for its initial weights
        self.config = config
        self.replicas = replicas
        self.own = replicas.share_of(config.batch)
        self.maker = maker
        self.table = TokenTable(maker.concepts)
        self.model = CLIP(**config.model_cfg(self.table.size)).to(memory_format=torch.channels_last)
        with torch.no_grad():
            self.model.token_embedding.weight[self.table.unknown] = 0
        self.optimizer = make_optimizer(self.model, config)
        self.bank = NameBank(maker.concepts, self.table)
        self.attack = PromptAttack(
            maker.concepts, self.table, config.attack_rounds, maker.style_words
        )
        self.token_counts = torch.zeros(self.table.size, dtype=torch.long)
        self.step = 0

    def resume(self, path: Path) -> None:
        """Continue from the checkpoint at `path`."""
        self.step = resume(path, self.model, self.optimizer, self.attack, self.token_counts)

    def save(self, path: Path) -> None:
        """Write the checkpoint."""
        save_checkpoint(path, self.step, self.model, self.optimizer, self.attack, self.token_counts)

    def run_step(self) -> StepReport:
        """Run one optimiser step."""
        config, model = self.config, self.model
        model.train()
        if self.step % config.bank_refresh == 0:
            self.bank.refresh(model, self.step // config.bank_refresh)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(config, self.step)
        batch = self.maker.draw(config.batch, config.seed, self.step, self.own)
        self.optimizer.zero_grad()
        # On CPUs the fused attention kernel is three times slower for sequences this short.
        with sdpa_kernel(SDPBackend.MATH):
            loss, report = self._loss(batch)
            loss.backward()
        self.replicas.average_gradients(model.parameters())
        model.token_embedding.weight.grad[self.table.unknown] = 0
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        self.optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, MAX_LOGIT_SCALE)
        self.step += 1
        return report

    def _encode_captions(self, captions: list[str]) -> Tensor:
        """Features (B, D) of this process's own captions. It counts the tokens of all captions."""
        rng = Random(f"tokens/{self.config.seed}/{self.step}")
        ids, end = self.table.encode(captions, rng, self.config.token_dropout)
        real = torch.arange(ids.shape[1]) <= end[:, None]
        self.token_counts += torch.bincount(ids[real], minlength=self.table.size)
        return token_features(self.model, ids[self.own], end[self.own])

    def _loss(self, batch: Batch) -> tuple[Tensor, StepReport]:
        """Contrastive loss in both directions, with extra negatives for pictures, plus the loss of
        naming."""
        model, config = self.model, self.config
        pictures = picture_features(model, batch.pictures)
        texts = self._encode_captions(batch.captions)
        scale = model.logit_scale.exp()
        logits = scale * pictures @ self.replicas.gather(texts).t()
        logits_back = scale * texts @ self.replicas.gather(pictures).t()
        concepts = torch.tensor([-1 if s.partner is not None else s.concept for s in batch.scenes])
        naming, name_logits = self.bank.loss(pictures, concepts, scale)
        confused = self.bank.most_confused(name_logits, concepts, config.hard_names)
        columns = [logits, scale * pictures @ self.bank.encode_live(model, confused).t()]
        wrong_similarity = float("nan")
        if self._attack_now():
            wrong, similarity = self._wrong_prompts(batch, pictures.detach())
            columns.append(scale * pictures @ wrong.t())
            wrong_similarity = similarity.mean().item()
        own = torch.arange(len(pictures)) + self.own.start
        forth = functional.cross_entropy(torch.cat(columns, dim=1), own)
        back = functional.cross_entropy(logits_back, own)
        loss = (forth + back) / 2 + config.bank_weight * naming
        named = name_logits.argmax(1) == concepts
        return loss, StepReport(
            loss=loss.item(),
            accuracy=(logits.argmax(1) == own).float().mean().item(),
            name_accuracy=named[concepts >= 0].float().mean().item(),
            true_similarity=(pictures * texts).sum(1).mean().item(),
            wrong_similarity=wrong_similarity,
        )

    def _attack_now(self) -> bool:
        config = self.config
        begun = self.step >= config.attack_from * config.steps
        return begun and self.step % config.attack_every == 0

    def _wrong_prompts(self, batch: Batch, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Features (K, D) of adversarial prompts, and their similarity."""
        seed = (self.config.seed * 7919 + self.step) * self.replicas.size + self.replicas.rank
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(batch.scenes), generator=generator)
        chosen = order[: self.config.attack_pictures]
        scenes = [batch.scenes[i] for i in chosen.tolist()]
        prompts, similarity = self.attack.find(self.model, scenes, targets[chosen], generator)
        return self.attack.features(self.model, prompts), similarity


def _describe(reports: list[StepReport]) -> str:
    def mean(field: str) -> float:
        values = [getattr(r, field) for r in reports]
        values = [v for v in values if not math.isnan(v)]
        return sum(values) / len(values) if values else float("nan")

    return (
        f"loss {mean('loss'):.3f} accuracy {mean('accuracy'):.3f} "
        f"names {mean('name_accuracy'):.3f} true {mean('true_similarity'):.3f} "
        f"wrong {mean('wrong_similarity'):.3f}"
    )


def checkpoint_path(work: Path, name: str, rank: int = 0) -> Path:
    """The path of a replica's state in the run `name`. All replicas have the same weights."""
    return work / f"{name}.{rank}.ckpt"


def train(rank: int, config: TrainConfig, work: Path, name: str) -> None:
    """Run or finish the training as replica `rank`."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    replicas = Replicas(rank, config.replicas, work / f"{name}.meeting")
    maker = BatchMaker.from_cache(work / "cache", config.distinct_share)
    trainer = Trainer(config, maker, replicas)
    path = checkpoint_path(work, name, rank)
    if path.exists():
        trainer.resume(path)
        log.info("replica %d resumes at step %d", rank, trainer.step)
    replicas.require_same(trainer.step)
    reports: list[StepReport] = []
    began, first = time.perf_counter(), trainer.step
    while trainer.step < config.steps:
        reports.append(trainer.run_step())
        if trainer.step % LOG_EVERY == 0 and rank == 0:
            seconds = time.perf_counter() - began
            log.info(
                "step %d/%d %s (%.0f s, %.2f s/step)",
                trainer.step,
                config.steps,
                _describe(reports),
                seconds,
                seconds / (trainer.step - first),
            )
            reports.clear()
        if trainer.step % config.checkpoint_every == 0 or trainer.step == config.steps:
            trainer.save(path)
    replicas.close()


def main() -> None:
    """Train a model from the rendered sprites."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder with the sprite cache")
    parser.add_argument("--config", type=Path, required=True)
    arguments = parser.parse_args()
    config, name = load_config(arguments.config), arguments.config.stem
    (arguments.work / f"{name}.meeting").unlink(missing_ok=True)
    torch.multiprocessing.spawn(train, (config, arguments.work, name), nprocs=config.replicas)


if __name__ == "__main__":
    main()
