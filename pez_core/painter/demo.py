"""The embedded painter, as a pipeline of Stable Diffusion XL.

Only the denoiser's weights are its own. It reads with the embedded CLIP's text encoder, and paints
pixels: its autoencoder changes nothing, so a latent is the picture in -1..1.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ..clip.model_names import DEMO_FOLDER
from ..clip.weights_file import WeightsFile
from ..hub.configuration import read_json
from .text_encoder import build_text_encoder, build_tokenizer

if TYPE_CHECKING:
    from .denoiser import PatchDenoiser

WEIGHTS = "diffusion_pytorch_model.safetensors"  # diffusers' own name
FOLDER = Path(__file__).parents[1] / "demo_painter"
LATENT_SCALE = 0.05
"""The autoencoder's own values are this small, because its decoder begins with a tanh(z / 3)."""
PREDICTED = "sample"  # the clean picture


def load_demo_pipeline(dtype: torch.dtype = torch.float32) -> Any:
    """The embedded painter on the CPU. Raises ModelError if its files are missing."""
    pipeline = build_pipeline(load_denoiser(FOLDER))
    for part in pipeline.components.values():
        if isinstance(part, nn.Module):
            nn.Module.to(part, dtype)  # diffusers' own `to` warns, without a reason here
    return pipeline


def load_denoiser(folder: Path) -> PatchDenoiser:
    """The denoiser in a folder, float32. Raises ModelError and WeightsError."""
    from .denoiser import PatchDenoiser

    config = read_json(folder / "config.json")
    denoiser: PatchDenoiser = PatchDenoiser.from_config(config)
    denoiser.load_state_dict(dict(WeightsFile(folder / WEIGHTS)))
    denoiser.eval().requires_grad_(False)
    return denoiser


def build_scheduler(steps: int = 1000) -> Any:
    """DPM-Solver++ (arXiv 2211.01095) on the cosine schedule (arXiv 2102.09672). steps: the times
    of training. Predicted pictures are clipped to -1..1."""
    from diffusers import DPMSolverMultistepScheduler

    return DPMSolverMultistepScheduler(
        num_train_timesteps=steps,
        beta_schedule="squaredcos_cap_v2",
        prediction_type=PREDICTED,
        timestep_spacing="trailing",
        steps_offset=1,  # as Stable Diffusion has it; without effect for this spacing
        thresholding=True,
        dynamic_thresholding_ratio=1.0,
        sample_max_value=1.0,
    )


@torch.no_grad()
def build_autoencoder() -> Any:
    """An AutoencoderTiny that encodes a picture (B, 3, H, W) in -1..1 as itself, to within a
    hundredth of a grey level, once the pipeline has applied its scaling factor."""
    from diffusers import AutoencoderTiny

    model = AutoencoderTiny(
        encoder_block_out_channels=(3,),
        decoder_block_out_channels=(6,),
        num_encoder_blocks=(0,),
        num_decoder_blocks=(0,),
        latent_channels=3,
        scaling_factor=1 / LATENT_SCALE,
    )
    first, last = (part for part in model.encoder.layers if isinstance(part, nn.Conv2d))
    _set_pixelwise(first, torch.eye(3))
    # The encoder gets its picture in 0..1.
    _set_pixelwise(last, 2 * LATENT_SCALE * torch.eye(3), -LATENT_SCALE)
    first, last = (part for part in model.decoder.layers if isinstance(part, nn.Conv2d))
    both = torch.cat([torch.eye(3), -torch.eye(3)])  # so that the ReLU between them loses nothing
    _set_pixelwise(first, both)
    _set_pixelwise(last, both.T / (2 * LATENT_SCALE), 0.5)
    return model.eval().requires_grad_(False)


def build_pipeline(denoiser: nn.Module, clip: Path = DEMO_FOLDER) -> Any:
    """A StableDiffusionXLPipeline around a denoiser that predicts pictures and reads with the text
    encoder of the CLIP in a folder. Of SDXL's two text encoders it has the second one, which gives
    a feature of the whole text beside the states of its words.

    `save_pretrained` makes a folder of it that DiffusionPipeline.from_pretrained opens where this
    package is installed."""
    from diffusers import StableDiffusionXLPipeline

    pipeline = StableDiffusionXLPipeline(
        vae=build_autoencoder(),
        text_encoder=None,
        tokenizer=None,
        text_encoder_2=build_text_encoder(clip),
        tokenizer_2=build_tokenizer(),
        unet=denoiser,
        scheduler=build_scheduler(),
        force_zeros_for_empty_prompt=False,
        add_watermarker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _set_pixelwise(convolution: nn.Conv2d, matrix: torch.Tensor, bias: float = 0.0) -> None:
    """Let a 3x3 convolution multiply each pixel by a matrix (out, in)."""
    convolution.weight.zero_()
    convolution.weight[:, :, 1, 1] = matrix
    if convolution.bias is not None:
        convolution.bias.fill_(bias)
