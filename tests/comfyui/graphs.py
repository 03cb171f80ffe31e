"""Prompts in ComfyUI's API format, built from few words. An input that is `[node, slot]` is a
link."""

from __future__ import annotations

from typing import Any

from tests.comfyui.checkpoint import CHECKPOINT, CLIP_L, LORA
from tests.comfyui.client import Prompt

Link = list[Any]
LEARN = "PEZ_ImageToHardPrompt"
MIX = "PEZ_PromptMixer"
RANK = "PEZ_PromptRanker"
VIEW = "PEZ_TokenViewer"
DEMO = "demo (clip-art only)"
CLIP_L_CHOICE = f"text_encoders/{CLIP_L}"


def node(kind: str, /, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def picture(kind: str = "noise", seed: int = 0) -> dict[str, Any]:
    """A picture of other-pack's."""
    return node("Other_Picture", kind=kind, seed=seed)


def learn(image: Link, **changes: Any) -> dict[str, Any]:
    """Image→Hard Prompt with every widget set, to a short and certain run."""
    inputs = {
        "image": image, "model": DEMO, "tokens": 4, "preset": "fast", "steps": 20, "seed": 1,
        "restarts": 1, "learning_rate": 0.0, "weight_decay": -1.0, "vocabulary": "ascii",
        "seconds": 0.0, "template": "", "text_targets": "", "ban": "",
        "avoid": "",
    }  # fmt: skip
    return node(LEARN, **{**inputs, **changes})


def mix(**changes: Any) -> dict[str, Any]:
    """Prompt Mixer with every widget set."""
    inputs: dict[str, Any] = {
        "mode": "learn", "tokens": 4, "model": DEMO, "preset": "fast", "seed": 1,
        "vocabulary": "ascii", "ban": "", "avoid": "",
    }  # fmt: skip
    inputs |= {f"prompt_{i}_weight": 1.0 for i in range(1, 9)}
    inputs |= {f"image_{i}_weight": 1.0 for i in range(1, 5)}
    return node(MIX, **{**inputs, **changes})


def view(**changes: Any) -> dict[str, Any]:
    """Token Viewer."""
    return node(VIEW, **{"model": "none (tokens only)", "edits": "", "avoid": "", **changes})


def rank(image: Link, **changes: Any) -> dict[str, Any]:
    """Prompt Ranker with every widget set; needs the node `checkpoint`."""
    inputs = {
        "image": image, "model": ["checkpoint", 0], "vae": ["checkpoint", 2],
        "clip": ["checkpoint", 1], "prompts": "a red cat\na blue dog", "rounds": 2,
        "seconds": 0.0, "size": 64, "seed": 1, "words": False, "edits": 0,
    }  # fmt: skip
    return node(RANK, **{**inputs, **changes})


def text(value: str) -> dict[str, Any]:
    """A STRING to link to: it passes byte for byte."""
    return node("PrimitiveStringMultiline", value=value)


def checkpoint() -> dict[str, Any]:
    """MODEL, CLIP, VAE."""
    return node("CheckpointLoaderSimple", ckpt_name=CHECKPOINT)


def clip_file(name: str = CLIP_L) -> dict[str, Any]:
    return node("CLIPLoader", clip_name=name, type="stable_diffusion", device="default")


def clip_vision() -> dict[str, Any]:
    return node("CLIPVisionLoader", clip_name=CLIP_L)


def with_lora(clip: Link, strength: float = 1.0) -> dict[str, Any]:
    """The CLIP with the LoRA, from a loader that takes no MODEL: its output is `[id, 1]`."""
    return node(
        "LoraLoader", model=["checkpoint", 0], clip=clip, lora_name=LORA,
        strength_model=1.0, strength_clip=strength,
    )  # fmt: skip


def painted(positive: Link) -> Prompt:
    """From a conditioning to a saved picture of 64 pixels, in two steps; needs the node
    `checkpoint`."""
    return {
        "negative": node("CLIPTextEncode", clip=["checkpoint", 1], text=""),
        "latent": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "sampled": node(
            "KSampler", model=["checkpoint", 0], seed=3, steps=2, cfg=4.0, sampler_name="euler",
            scheduler="normal", positive=positive, negative=["negative", 0],
            latent_image=["latent", 0], denoise=1.0,
        ),
        "decoded": node("VAEDecode", samples=["sampled", 0], vae=["checkpoint", 2]),
        "saved": node("SaveImage", images=["decoded", 0], filename_prefix="pez"),
    }  # fmt: skip
