"""The error of denoising a picture under a prompt, for every family of painters."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionInpaintPipeline
from PIL import Image

from pez_core import load_painter, open_picture
from pez_core.errors import ModelError, PictureError
from pez_core.painter.denoising import PipelineErrors
from pez_core.painter.pipeline import Painter
from pez_core.painter.settings import noise_of
from tests.support.tiny_painters import FAMILIES, save_family

pytest_plugins = ("tests.support.evaluation_fixtures",)
PROMPTS = ["", "a red square", "a blue circle"]


@pytest.fixture(scope="module")
def picture(root: Path) -> Image.Image:
    return open_picture(root / "examples" / "watermelon.png")


@pytest.fixture(scope="module")
def demo() -> Painter:
    return load_painter("demo", steps=2)


def plain_errors(
    painter: Painter, picture: Image.Image, prompt: str, levels: int, steps: int
) -> list[float]:
    """The same by hand: the picture, its noise, and a pass of the denoiser for each level."""
    pipeline = painter.pipeline
    clean = pipeline.image_processor.preprocess(picture.resize((48, 48), Image.Resampling.BICUBIC))
    _, _, pooled, _ = pipeline.encode_prompt(prompt, do_classifier_free_guidance=False)
    words = pipeline.encode_prompt(prompt, do_classifier_free_guidance=False)[0]
    pipeline.scheduler.set_timesteps(steps)
    generator = torch.Generator().manual_seed(noise_of(0, 3))
    found = []
    for time in pipeline.scheduler.timesteps[:levels]:
        kept = pipeline.scheduler.alphas_cumprod[time]
        noise = torch.randn(clean.shape, generator=generator)
        noisy = kept.sqrt() * clean + (1 - kept).sqrt() * noise
        painted = pipeline.unet(noisy, time, words, {"text_embeds": pooled}).sample
        found.append((painted - clean).square().mean().item())
    return found


@pytest.mark.parametrize(("steps", "whole"), [(10, {}), (4, {"steps": 4}), (20, {"steps": 20})])
def test_the_errors_equal_a_plain_loop(
    demo: Painter, picture: Image.Image, steps: int, whole: dict[str, int]
) -> None:
    """To within what the autoencoder changes: a hundredth of a grey level. At the noisiest two
    fifths of the schedule, or at the noisiest levels of any other."""
    square = picture.crop((0, 0, min(picture.size), min(picture.size)))
    errors = PipelineErrors(demo, square, levels=4, **whole).errors(PROMPTS, 3)
    for row, prompt in zip(errors.tolist(), PROMPTS, strict=True):
        assert row == pytest.approx(plain_errors(demo, square, prompt, 4, steps), rel=1e-3)


def test_a_level_that_a_scheduler_repeats_counts_once(pipeline: Path, picture: Image.Image) -> None:
    """PNDM, which many SD 1.x pipelines have, repeats the second."""
    painter = load_painter(str(pipeline), size=64, scheduler="PNDMScheduler")
    errors = PipelineErrors(painter, picture, levels=4).errors(PROMPTS, 0)
    assert errors.shape == (3, 4)
    assert len(set(errors[1].tolist())) == 4
    painter.pipeline.scheduler.set_timesteps(10)
    assert len(set(painter.pipeline.scheduler.timesteps[:4].tolist())) < 4


def test_the_painter_paints_as_before(demo: Painter, picture: Image.Image) -> None:
    before = demo.paint_one("a cat", 1).tobytes()
    PipelineErrors(demo, picture).errors(["a dog"], 0)
    assert demo.paint_one("a cat", 1).tobytes() == before


@pytest.mark.parametrize("family", ["SD", *FAMILIES])
def test_every_family(family: str, pipeline: Path, tmp_path: Path, picture: Image.Image) -> None:
    """The same noises give the same figures to the bit; order and company change nothing else."""
    folder = pipeline if family == "SD" else save_family(family, tmp_path)
    painter = load_painter(str(folder), size=64)
    judged = PipelineErrors(painter, picture, levels=3)
    errors = judged.errors(PROMPTS, 0)
    assert errors.shape == (3, 3) and errors.isfinite().all()
    assert judged.errors(PROMPTS, 0).equal(errors)
    assert PipelineErrors(painter, picture, levels=3).errors(PROMPTS, 0).equal(errors)
    torch.testing.assert_close(judged.errors(PROMPTS[::-1], 0).flip(0), errors)
    torch.testing.assert_close(judged.errors(PROMPTS[1:2], 0)[0], errors[1])
    assert (errors[1] != errors[2]).all() and (judged.errors(PROMPTS, 1) != errors).all()
    many = judged.errors(PROMPTS * 5, 0)  # more than a batch
    torch.testing.assert_close(many, errors.repeat(5, 1))


def test_it_can_be_interrupted_before_every_pass(demo: Painter, picture: Image.Image) -> None:
    passes = 0

    def check() -> None:
        nonlocal passes
        passes += 1
        if passes == 3:
            raise KeyboardInterrupt

    judged = PipelineErrors(demo, picture, check_interrupt=check)
    with pytest.raises(KeyboardInterrupt):
        judged.errors(["a"], 0)
    assert passes == 3
    assert judged.errors(["a"], 0).isfinite().all()


def test_what_cannot_be_judged_says_so(demo: Painter, pipeline: Path, picture: Image.Image) -> None:
    painter = load_painter(str(pipeline))
    painter.pipeline.vae.encoder.conv_in.weight.data[:] = torch.nan
    with pytest.raises(PictureError, match="latent of the picture is not finite"):
        PipelineErrors(painter, picture)
    painter = load_painter(str(pipeline))
    painter.pipeline.scheduler.register_to_config(prediction_type="sketch")
    with pytest.raises(ModelError, match="DDIMScheduler predicts 'sketch'"):
        PipelineErrors(painter, picture)
    parts = {**load_painter(str(pipeline)).pipeline.components, "requires_safety_checker": False}
    painter.pipeline = StableDiffusionInpaintPipeline(**parts)
    painter.pipeline.__class__ = type("Unknown", (StableDiffusionInpaintPipeline,), {})
    with pytest.raises(ModelError, match="Unknown cannot start from a picture"):
        PipelineErrors(painter, picture)
