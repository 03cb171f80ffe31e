"""The embedded painter: its parts in the classes of diffusers and transformers, and as a whole."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load, save_file

from pez_core import ClipModel, load_model
from pez_core.errors import ModelError, WeightsError
from pez_core.painter.pipeline import Painter, load_painter
from pez_core.painter.settings import DEMO, DEMO_GUIDANCE, DEMO_STEPS, own_settings
from pez_core.text.vocabulary import clip_vocabulary

pytest.importorskip("diffusers")

from pez_core.painter.demo import (  # noqa: E402
    FOLDER,
    WEIGHTS,
    build_autoencoder,
    build_pipeline,
    load_denoiser,
)
from pez_core.painter.text_encoder import build_text_encoder, build_tokenizer  # noqa: E402

PAD_ID = 49408  # after the whole vocabulary of CLIP
TEXTS = ["a watermelon", "quiet lady, it's 2 o'clock!", "", "☃ " * 60]


@pytest.fixture(scope="module")
def painter() -> Painter:
    return load_painter(steps=2)


def test_the_tokenizer_gives_the_ids_of_ours() -> None:
    vocabulary, tokenizer = clip_vocabulary(), build_tokenizer()
    for text in TEXTS:
        given = tokenizer(text, padding="max_length", max_length=77, truncation=True).input_ids
        ids = vocabulary.encode(text)[:75]
        assert given == [49406, *ids, 49407, *[PAD_ID] * (75 - len(ids))]


def test_the_text_encoder_computes_the_features_of_ours(demo: ClipModel) -> None:
    tokenizer, encoder = build_tokenizer(), build_text_encoder()
    given = tokenizer(
        TEXTS[:3], padding="max_length", max_length=77, truncation=True, return_tensors="pt"
    )
    features = torch.nn.functional.normalize(encoder(given.input_ids).text_embeds, dim=-1)
    torch.testing.assert_close(features, demo.encode_texts(TEXTS[:3]), rtol=0, atol=1e-5)


def test_the_autoencoder_changes_nothing() -> None:
    """A latent is the picture in -1..1, and comes back to within a hundredth of a grey level."""
    autoencoder = build_autoencoder()
    scale = autoencoder.config.scaling_factor
    picture = torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(0)) * 2 - 1
    latent = autoencoder.encode(picture).latents * scale
    torch.testing.assert_close(latent, picture, rtol=0, atol=1e-6)
    back = autoencoder.decode(latent / scale).sample
    assert ((back - picture).abs() * 127.5).max() < 0.02


def test_a_picture_depends_on_the_text_the_seed_and_the_settings(painter: Painter) -> None:
    texts = ["a watermelon", "a blue car"]
    first, other = painter.paint(texts, seed=3)
    assert first.size == (48, 48) and first.mode == "RGB"
    assert painter.paint(texts[0], seed=3)[0].tobytes() == first.tobytes() != other.tobytes()
    assert painter.paint(texts[0], seed=4)[0].tobytes() != first.tobytes()
    more = load_painter(DEMO, steps=2, guidance=8.0)
    assert more.paint(texts[0], seed=3)[0].tobytes() != first.tobytes()
    assert (own_settings(DEMO).guidance, own_settings(DEMO).steps) == (DEMO_GUIDANCE, DEMO_STEPS)


def test_words_beyond_those_attended_to_still_count(painter: Painter) -> None:
    start = "a red apple " * 12  # 36 tokens
    first, other = (painter.paint_one(start + end, 3) for end in ("car", "dog"))
    assert first.tobytes() != other.tobytes()


def test_it_paints_the_background_that_the_text_names() -> None:
    texts = [f"a {colour} background" for colour in ("red", "green", "blue", "black")]
    painter = load_painter()
    painted = [painter.paint_one(text, seed) for text in texts for seed in (0, 1)]
    means = torch.tensor(np.stack([np.asarray(p).mean((0, 1)) for p in painted]))
    red, green, blue, black = means.view(4, 2, 3).mean(1)
    assert red.argmax() == 0 and green.argmax() == 1 and blue.argmax() == 2
    assert black.sum() < min(red.sum(), green.sum(), blue.sum())


def test_the_saved_folder_opens_in_diffusers_and_paints_the_same(
    painter: Painter, tmp_path: Path
) -> None:
    from diffusers import DiffusionPipeline

    painter.pipeline.save_pretrained(tmp_path)
    index = json.loads((tmp_path / "model_index.json").read_text())
    assert index["_class_name"] == "StableDiffusionXLPipeline"
    expected = painter.paint_one("a watermelon", 5)
    options = {"guidance_scale": DEMO_GUIDANCE, "num_inference_steps": 2}
    pipeline = DiffusionPipeline.from_pretrained(tmp_path, low_cpu_mem_usage=False)
    image = pipeline("a watermelon", generator=torch.Generator().manual_seed(5), **options).images[
        0
    ]
    assert image.tobytes() == expected.tobytes()
    ours = load_painter(str(tmp_path), guidance=DEMO_GUIDANCE, steps=2)
    assert ours.paint_one("a watermelon", 5).tobytes() == expected.tobytes()


def test_a_saved_painter_is_all_that_a_process_needs(painter: Painter, tmp_path: Path) -> None:
    """diffusers looks for the denoiser's class only among what is imported."""
    painter.pipeline.save_pretrained(tmp_path)
    code = (
        "import sys; from pez_core import load_painter; "
        "print(load_painter(sys.argv[1], steps=1).paint_one('a', 0).size)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.stdout == "(48, 48)\n", done.stderr


def test_only_its_own_denoiser_is_let_through(painter: Painter, tmp_path: Path) -> None:
    painter.pipeline.save_pretrained(tmp_path)
    index = tmp_path / "model_index.json"
    entries = json.loads(index.read_text())
    for part in (["pez_core.cli", "main"], ["pez_core.painter.denoiser", "Block"]):
        index.write_text(json.dumps({**entries, "unet": part}))
        with pytest.raises(ModelError, match="'unet' is .*but must be"):
            load_painter(str(tmp_path))
    index.write_text(json.dumps(entries))
    load_painter(str(tmp_path))
    index.write_text(json.dumps({**entries, "unet": "ab"}))  # diffusers unpacks it: class b of a
    with pytest.raises(ModelError, match="'unet' is 'ab', but must be"):
        load_painter(str(tmp_path))
    index.write_text(json.dumps(entries))
    for name in ("unet/pez_core.painter.denoiser.py", "pipeline.py"):
        code = tmp_path / name
        code.write_text("raise SystemExit")
        with pytest.raises(ModelError, match=f"{code.name}: code of a model is not run"):
            load_painter(str(tmp_path))
        code.unlink()


def test_weights_that_are_not_there_are_missed(painter: Painter, tmp_path: Path) -> None:
    """The libraries fill them with random numbers, some of them in silence."""
    painter.pipeline.save_pretrained(tmp_path)
    for name in ("text_encoder_2/model.safetensors", f"unet/{WEIGHTS}"):
        path = tmp_path / name
        whole = path.read_bytes()
        weights = load(whole)
        weights.pop(next(key for key in weights if key.endswith("bias")))
        save_file(weights, path, metadata={"format": "pt"})
        with pytest.raises(ModelError, match="holds fewer weights than"):
            load_painter(str(tmp_path))
        path.write_bytes(whole)
    load_painter(str(tmp_path))


def test_damaged_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json is not a file"):
        load_denoiser(tmp_path)
    (tmp_path / "config.json").write_bytes((FOLDER / "config.json").read_bytes())
    with pytest.raises(WeightsError, match="no such file"):
        load_denoiser(tmp_path)
    (tmp_path / WEIGHTS).write_bytes((FOLDER / WEIGHTS).read_bytes()[:1000])
    with pytest.raises(WeightsError, match="truncated"):
        load_denoiser(tmp_path)


def test_its_weights_fit_the_limit() -> None:
    assert (FOLDER / WEIGHTS).stat().st_size < 14_000_000
    assert all(value.isfinite().all() for value in load_denoiser(FOLDER).state_dict().values())


def test_half_precision_paints_nearly_the_same() -> None:
    whole = load_painter(steps=2).paint_one("a watermelon", 1)
    half = load_painter(steps=2, dtype="bfloat16").paint_one("a watermelon", 1)
    difference = np.abs(np.asarray(whole, float) - np.asarray(half, float)).mean()
    assert 0 < difference < 8


def test_a_denoiser_of_other_sizes_is_called_like_a_unet() -> None:
    from pez_core.painter.denoiser import PatchDenoiser

    torch.manual_seed(0)
    small = PatchDenoiser(sample_size=32, patch_size=4, width=64, depth=1, heads=2, mlp_width=64)
    torch.nn.init.normal_(small.paint.weight)  # zero before training
    for block in small.blocks:
        torch.nn.init.normal_(block.modulation.weight)
    noisy, words = torch.randn(2, 3, 32, 32), torch.randn(2, 5, 128)
    text = {"text_embeds": torch.randn(2, 192), "time_ids": torch.zeros(2, 6)}
    painted = small(noisy, 10, encoder_hidden_states=words, added_cond_kwargs=text).sample
    assert painted.shape == noisy.shape
    (same,) = small(noisy, torch.tensor([10, 10]), words, text, return_dict=False)
    assert torch.equal(same, painted)
    other = {"text_embeds": torch.randn(2, 192)}
    changes = (
        (noisy, 900, words, text), (noisy, 10, words.flip(0), text), (noisy, 10, words, other),
    )  # fmt: skip
    for changed in changes:
        assert not torch.allclose(small(*changed).sample, painted)
    image = build_pipeline(small)("a", num_inference_steps=2, output_type="np").images[0]
    assert image.shape == (32, 32, 3)


def test_the_judge_can_look_at_it(painter: Painter, root: Path) -> None:
    judge = load_model(str(root / "benchmarks" / "judge"))
    assert judge.encode_pictures(painter.paint("a red heart")).shape == (1, 256)
