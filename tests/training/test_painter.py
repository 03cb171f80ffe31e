"""The training of the painter, on a few drawings made here: that it resumes, that its data depends
on the seed alone, and that what it exports is a painter."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import asdict, replace
from pathlib import Path
from random import Random

import pytest
import torch
from PIL import Image, ImageDraw

pytest.importorskip("diffusers")

from pez_core.painter.demo import build_pipeline, load_denoiser  # noqa: E402
from pez_core.painter.denoiser import WORDS  # noqa: E402
from pez_core.painter.pipeline import load_painter  # noqa: E402
from training.attributes import COLOURS  # noqa: E402
from training.painter import train as train_module  # noqa: E402
from training.painter.config import PainterConfig, load_painter_config  # noqa: E402
from training.painter.drawings import pack, unpack  # noqa: E402
from training.painter.export import export  # noqa: E402
from training.painter.pool import CHUNK, Studio, compose, token_ids  # noqa: E402

pytestmark = pytest.mark.own_autograd
NAMES = ("circle", "square", "triangle", "heart", "moon", "star")
MODEL = {"sample_size": 16, "patch_size": 8, "width": 32, "depth": 1, "heads": 2, "mlp_width": 32}
CONFIG = PainterConfig(
    seed=3, steps=4, model=MODEL, batch=8, warmup=1, pool=CHUNK, pools=2, checkpoint_every=2
)


def write_drawings(path: Path, source: str = "noto") -> Path:
    """One coloured ellipse for each name, in the packed form."""
    with zipfile.ZipFile(path, "w") as archive:
        concepts = [{"hexcode": n, "name": n, "tags": [f"{n} shape"], "group": 0} for n in NAMES]
        sprites = [{"source": source, "concept": number} for number in range(len(NAMES))]
        archive.writestr("sprites.json", json.dumps({"concepts": concepts, "sprites": sprites}))
        for number, colour in zip(range(len(NAMES)), COLOURS.values(), strict=False):
            sprite = Image.new("RGBA", (72, 72))
            ImageDraw.Draw(sprite).ellipse((9, 9 + 3 * number, 63, 63), (*colour, 255))
            data = io.BytesIO()
            sprite.save(data, "WEBP", lossless=True)
            archive.writestr(f"{number}.webp", data.getvalue())
    return path


@pytest.fixture
def drawings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(torch, "compile", lambda model: model)  # takes a minute
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    return write_drawings(tmp_path / "drawings.zip")


def states(path: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = torch.load(path, weights_only=True)["average"]
    return found


def test_a_resumed_run_ends_with_the_same_weights(
    drawings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parted, device = tmp_path / "whole.ckpt", tmp_path / "parted.ckpt", torch.device("cpu")
    train_module.train(CONFIG, drawings, whole, device)

    class Killed(Exception):
        pass

    save = train_module.PainterTrainer.save

    def dying(trainer: train_module.PainterTrainer, path: Path) -> None:
        save(trainer, path)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(train_module.PainterTrainer, "save", dying)
        with pytest.raises(Killed):
            train_module.train(CONFIG, drawings, parted, device)
    assert torch.load(parted, weights_only=True)["step"] == 2
    train_module.train(CONFIG, drawings, parted, device)
    first, second = states(whole), states(parted)
    assert all(torch.equal(first[name], second[name]) for name in first)
    train_module.train(replace(CONFIG, seed=4), drawings, tmp_path / "other.ckpt", device)
    other = states(tmp_path / "other.ckpt")
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_what_is_exported_paints(drawings: Path, tmp_path: Path) -> None:
    train_module.train(CONFIG, drawings, tmp_path / "a.ckpt", torch.device("cpu"))
    config = tmp_path / "a.json"
    config.write_text(json.dumps({"seed": 3, "steps": 4, "model": MODEL}))
    assert load_painter_config(config).model == MODEL
    export(tmp_path / "a.ckpt", config, tmp_path / "out")
    denoiser = load_denoiser(tmp_path / "out")
    (image,) = build_pipeline(denoiser)("a red circle", num_inference_steps=2).images
    assert image.size == (16, 16)


def test_a_painter_may_read_with_another_clip(drawings: Path, tmp_path: Path) -> None:
    """The judge's text encoder has other widths. What is exported is a pipeline like any other."""
    sizes = {"cross_attention_dim": 96, "text_width": 256}
    config = replace(CONFIG, clip="benchmarks/judge", model={**MODEL, **sizes})
    train_module.train(config, drawings, tmp_path / "a.ckpt", torch.device("cpu"))
    path = tmp_path / "a.json"
    path.write_text(json.dumps(asdict(config)))
    export(tmp_path / "a.ckpt", path, tmp_path / "out", whole=True)
    painter = load_painter(str(tmp_path / "out"), steps=2)
    assert painter.paint_one("a red circle", 3).size == (16, 16)
    assert painter.pipeline.text_encoder_2.config.projection_dim == 256


def test_a_pool_depends_on_its_seed_alone(drawings: Path) -> None:
    pools = [compose(drawings, CHUNK + 1, 16, seed, count) for seed, count in (("a", 1), ("a", 2))]
    assert len(pools[0].pictures) == 2 * CHUNK and pools[0].pictures.shape[1:] == (3, 16, 16)
    assert torch.equal(pools[0].pictures, pools[1].pictures)
    assert torch.equal(pools[0].ids, pools[1].ids)
    other = compose(drawings, CHUNK, 16, "b", 1)
    assert not torch.equal(other.pictures, pools[0].pictures[:CHUNK])


def test_texts_name_what_the_picture_shows(drawings: Path) -> None:
    """A caption may leave words out, but most texts have a word of the name, and half the rest."""
    studio, rng = Studio(drawings), Random(5)
    texts = [(scene, studio.text(scene, rng)) for scene in (studio.scene(rng) for _ in range(400))]
    named = [NAMES[scene.concept] in text.split() for scene, text in texts]
    assert sum(named) > 300
    coloured = [(s, t) for s, t in texts if s.background not in ("white",) and s.colours_visible]
    assert sum(s.background in t for s, t in coloured) > len(coloured) / 2
    assert all(text.strip() for _, text in texts)


def test_ids_end_and_are_padded_with_zeros() -> None:
    ids = token_ids(["a cat", "a " * 100, ""])
    assert ids.shape == (3, WORDS) and ids[:, 0].tolist() == [49406] * 3
    assert ids[0, 3] == 49407 and ids[0, 4:].sum() == 0
    assert ids[1, -1] == 49407 and ids[2, :3].tolist() == [49406, 49407, 0]


def test_packed_drawings_come_back(tmp_path: Path) -> None:
    import numpy as np

    path = write_drawings(tmp_path / "a.zip")
    pixels, concepts, keys, shown = unpack(path)
    np.save(tmp_path / "sprites.npy", pixels)
    with zipfile.ZipFile(path) as archive:
        (tmp_path / "sprites.json").write_bytes(archive.read("sprites.json"))
    pack(tmp_path, tmp_path / "b.zip")
    again, *rest = unpack(tmp_path / "b.zip")
    assert rest == [concepts, keys, shown] and pixels.shape == (6, 72, 72, 4)
    visible = pixels[..., 3:] > 0
    assert np.abs(again.astype(int) - pixels)[visible.repeat(4, -1)].mean() < 8


def test_reserved_drawings_are_never_trained_on(tmp_path: Path) -> None:
    path = write_drawings(tmp_path / "a.zip", source="fxemoji")
    with pytest.raises(ValueError, match="fxemoji, which is reserved for evaluation"):
        Studio(path)
