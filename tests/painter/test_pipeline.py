"""Pipelines of diffusers as painters: noise, precision, damage, and where they come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pez_core.errors import ConfigError, ModelError, PictureError
from pez_core.painter.pipeline import Painter, to_picture
from pez_core.painter.settings import COPIES, PIPELINE, PainterSettings
from tests.support.tiny_pipeline import SIDE, save_pipeline

pytest_plugins = ("tests.support.evaluation_fixtures",)
CPU = torch.device("cpu")


def test_the_same_seed_paints_the_same_picture(pipeline: Path) -> None:
    """Bit for bit, whatever was painted before; other noise and another prompt do not."""
    painter = Painter(PainterSettings(str(pipeline), steps=2), CPU)
    first = painter.paint_one("a red square", 7)
    assert first.size == (SIDE, SIDE)
    other, noise = painter.paint_one("a blue circle", 7), painter.paint_one("a red square", 8)
    assert painter.paint_one("a red square", 7).tobytes() == first.tobytes()
    assert len({first.tobytes(), other.tobytes(), noise.tobytes()}) == 3
    large = Painter(
        PainterSettings(str(pipeline), steps=2, size=80, scheduler="EulerDiscreteScheduler"), CPU
    )
    assert large.paint_one("a red square", 7).size == (80, 80)
    assert large.about["scheduler"] == "EulerDiscreteScheduler"


def noting(method: Any, seen: set[str]) -> Any:
    """A method of a network that notes the network's kind and precision."""

    def noted(network: Any, *rest: Any, **more: Any) -> Any:
        seen.add(f"{type(network).__name__} {str(network.dtype).removeprefix('torch.')}")
        return method(network, *rest, **more)

    return noted


def test_a_pipeline_comes_in_the_precision_asked_for(
    pipeline: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a word of diffusers about the argument, which two versions of it call differently."""
    import diffusers
    import transformers

    seen: set[str] = set()
    for part, method in (
        (diffusers.UNet2DConditionModel, "forward"),
        (diffusers.AutoencoderKL, "decode"),
        (transformers.CLIPTextModel, "forward"),
    ):
        noted = noting(getattr(part, method), seen)
        monkeypatch.setattr(part, method, noted)
    for name in ("float32", "bfloat16"):
        seen.clear()
        painter = Painter(PainterSettings(str(pipeline), dtype=name, steps=1), CPU)
        painter.paint_one("a red square", 7)
        assert seen == {f"{kind} {name}" for kind in (
            "UNet2DConditionModel", "AutoencoderKL", "CLIPTextModel"
        )}  # fmt: skip
        assert painter.precision == name
    assert not [m for m in caplog.messages if "dtype" in m]


def test_pictures_of_no_numbers_are_refused(
    pipeline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NaN latents, as half precision may give them; the black they become; a filter's black."""
    painter = Painter(PainterSettings(str(pipeline), steps=1), CPU)
    import diffusers

    decode = diffusers.AutoencoderKL.decode
    with monkeypatch.context() as patch:
        patch.setattr(
            diffusers.AutoencoderKL,
            "decode",
            lambda vae, latents, **more: decode(vae, latents * np.nan, **more),
        )
        with pytest.raises(PictureError, match="not finite numbers: paint in float32"):
            painter.paint_one("a", 0)
    painter.paint_one("a", 0)
    with pytest.raises(PictureError, match="an all black picture"):
        to_picture(np.zeros((8, 8, 3)))
    assert to_picture(np.full((8, 8, 3), 0.5)).getpixel((0, 0)) == (128, 128, 128)


def test_pipelines_that_are_unavailable(
    pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No folder, no pipeline in it, pickles in place of safetensors, an unknown scheduler."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="has no model_index.json"):
        Painter(PainterSettings(str(tmp_path)), CPU)
    with pytest.raises(ModelError, match="is a file: give --painter the folder"):
        Painter(PainterSettings(str(pipeline / "model_index.json")), CPU)
    with pytest.raises(ModelError, match="there is no folder ./nothing"):
        Painter(PainterSettings("./nothing"), CPU)
    with pytest.raises(ModelError, match="no scheduler 'SchedulerMixin'"):
        Painter(PainterSettings(str(pipeline), scheduler="SchedulerMixin"), CPU)
    with pytest.raises(ModelError, match="nobody/nothing is unavailable .*give --painter"):
        Painter(PainterSettings("nobody/nothing"), CPU)
    with pytest.raises(ModelError, match="no scheduler 'UNet2DModel'"):
        Painter(PainterSettings(str(pipeline), scheduler="UNet2DModel"), CPU)
    pickled = tmp_path / "pickled"
    save_pipeline(pickled)
    weights = pickled / "vae" / "diffusion_pytorch_model.safetensors"
    torch.save({}, weights.with_suffix(".bin"))
    weights.unlink()
    with pytest.raises(ModelError, match="cannot be loaded .*needs whole safetensors"):
        Painter(PainterSettings(str(pickled)), CPU)


class Hub:
    """A hub that has one pipeline; `asked` are the names that it was asked for."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name, self.asked, self.answers = folder, name, list[str](), True

    def download(self, name: str, **options: object) -> str:
        assert options == {"use_safetensors": True, "local_files_only": not self.answers}
        self.asked.append(name)
        if name != self.name:
            raise OSError(f"401: {name} is not found\nand more lines")
        return str(self.folder)


@pytest.mark.parametrize(("kept", "asked"), [(PIPELINE, 1), (COPIES[PIPELINE], 2), ("none", 2)])
def test_a_withdrawn_pipeline_is_looked_for_under_the_name_of_its_copy(
    kept: str,
    asked: int,
    pipeline: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It tries the owner's name first, and reports and keeps the name of the one that painted.
    Where neither is available, the error names both."""
    diffusers = pytest.importorskip("diffusers")
    hub = Hub(pipeline, kept)
    monkeypatch.setattr("pez_core.painter.loading.why_unreachable", lambda *_: None)
    monkeypatch.setattr(diffusers.DiffusionPipeline, "download", hub.download)
    told = diffusers.utils.logging.get_verbosity()
    if kept == "none":
        both = ".*".join(f"{name}: 401.*" for name in (PIPELINE, COPIES[PIPELINE]))
        with pytest.raises(ModelError, match=f"is unavailable .{both}give --painter"):
            Painter(PainterSettings(), CPU)
    else:
        painter = Painter(PainterSettings(), CPU)
        assert painter.about["pipeline"] == kept
        assert painter.paint_one("a red square", 7).size == (SIDE, SIDE)
        warned = f"{PIPELINE} is unavailable; using {kept}, a copy"
        assert any(m.startswith(warned) for m in caplog.messages) == (kept != PIPELINE)
    assert hub.asked == [PIPELINE, COPIES[PIPELINE]][:asked]
    assert diffusers.utils.logging.get_verbosity() == told


def test_without_a_network_an_earlier_download_paints(
    pipeline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """diffusers gets the argument: with some versions of the hub's client it fails first."""
    diffusers = pytest.importorskip("diffusers")
    hub = Hub(pipeline, PIPELINE)
    hub.answers = False
    reason = "no network"
    monkeypatch.setattr("pez_core.painter.loading.why_unreachable", lambda *_: reason)
    monkeypatch.setattr(diffusers.DiffusionPipeline, "download", hub.download)
    assert Painter(PainterSettings(), CPU).about["pipeline"] == PIPELINE
    with pytest.raises(ModelError, match="nobody/nothing is unavailable .*: no network"):
        Painter(PainterSettings("nobody/nothing"), CPU)


def test_what_cannot_paint_says_so(pipeline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheduler that does not fit, a text that is none; memory is for the caller to judge."""
    painter = Painter(PainterSettings(str(pipeline), steps=1), CPU)
    with pytest.raises(PictureError, match=r"'caf\\udce9' is not text"):
        painter.paint_one("caf\udce9", 0)

    def fails(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(type(painter.pipeline), "__call__", fails)
    error: Exception = NotImplementedError("prediction_type sample\nis not implemented")
    with pytest.raises(ModelError, match="sample is not implemented.: try another scheduler"):
        painter.paint_one("a", 0)
    error = RuntimeError("CUDA out of memory")
    with pytest.raises(RuntimeError, match="out of memory"):
        painter.paint_one("a", 0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"images": 1001}, "images must be at most 1000, got 1001"),
        ({"steps": 2.5}, "diffusion-steps must be a whole number"),
        ({"dtype": "float99"}, "dtype must be one of auto, .*, got 'float99'"),
        ({"images": 0}, "images must be .* at least 1, got 0"),
        ({"steps": 0}, "diffusion-steps must be .* at least 1"),
        ({"guidance": float("nan")}, "guidance must be a number"),
        ({"size": 100}, "size must be a multiple of 8 pixels, got 100"),
    ],
)
def test_settings_out_of_range(settings: dict[str, Any], message: str) -> None:
    """Before anything is loaded."""
    with pytest.raises(ConfigError, match=message):
        PainterSettings(**settings)
