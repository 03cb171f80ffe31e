"""Features of pictures through the image tower of a file: one of `vision`, or else open_clip's.

The tower is built without memory of its own and filled from the file. A search needs only its
result, so `encode_pictures` holds one block of a vision transformer at a time: 0.1 GB for a
ViT-H-14, whose tower has 2.5 GB in float32 (benchmarks/speed/memory.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import ModelError, PictureError, WeightsError
from .architecture import OPENAI_MEAN, OPENAI_STD, Architecture
from .ensemble import join_features
from .source import JointSource, Source
from .text_tower import nothing
from .vision import Transformer, plain, plain_preprocessing
from .vision_weights import State, vision_state
from .weights_file import WeightsFile

AT_ONCE = 4  # pictures in one pass: bounds the memory, and lets a stop be heard
STREAMED = 16  # the same where each pass reads the tower again: 0.3 GB for a ViT-H-14
BLOCKS = "transformer.resblocks."


@torch.inference_mode(False)
def encode_pictures(
    source: Source | JointSource,
    pictures: Sequence[Image.Image],
    device: torch.device | str,
    held: Callable[[Source], nn.Module] | None = None,
    tick: Callable[[], None] = nothing,
) -> Tensor:
    """Unit features of RGB pictures, (N, E), float32, on `device`, by the image tower of each model
    of a source in turn.

    held: gives the tower of a model, on `device`, to whoever has it for longer; without it every
    tower is read for this call alone. tick: called before every pass.
    Raises PictureError without pictures, ModelError and WeightsError when a file has no fitting
    image tower.
    """
    if not pictures:
        raise PictureError("no picture was given: name at least one")
    opened = held or partial(_open_tower, device=device)
    at_once = AT_ONCE if held else STREAMED
    # A tower is given no name here: the first has to be gone before the second is opened.
    seen = [_features(opened(part), part, pictures, device, tick, at_once) for part in source.parts]
    return join_features(seen, source.weights)


def _features(
    tower: nn.Module,
    source: Source,
    pictures: Sequence[Image.Image],
    device: torch.device | str,
    tick: Callable[[], None],
    at_once: int,
) -> Tensor:
    """The same by one tower. at_once: pictures in a pass."""
    prepare = preprocessing(source.arch)
    features = []
    with torch.no_grad():
        for first in range(0, len(pictures), at_once):
            tick()
            batch = torch.stack([prepare(picture) for picture in pictures[first : first + at_once]])
            features.append(_pooled(tower(batch.to(device))))
    result = torch.cat(features).float()
    if not bool(torch.isfinite(result).all()):
        raise WeightsError(
            f"{source.path}: its image tower gives values that are no finite numbers: the file is "
            "damaged"
        )
    return F.normalize(result, dim=-1)


def preprocessing(arch: Architecture) -> Any:
    """open_clip's evaluation transform for this model: a PIL picture → (3, H, W) float32."""
    assert arch.vision is not None
    known = {
        k: arch.preprocess[k]
        for k in ("interpolation", "resize_mode", "fill_color")
        if arch.preprocess.get(k)
    }
    size = arch.vision["image_size"]
    mean = tuple(arch.preprocess.get("mean") or OPENAI_MEAN)
    std = tuple(arch.preprocess.get("std") or OPENAI_STD)
    prepare = plain_preprocessing(size, mean, std, known)
    if prepare is not None:
        return prepare
    from open_clip.transform import PreprocessCfg, image_transform_v2  # late: it takes seconds

    config = PreprocessCfg(size=size, mean=mean, std=std, **known)
    return image_transform_v2(config, is_train=False)


@torch.inference_mode(False)
def load_image_tower(source: Source) -> nn.Module:
    """The image tower of a file, on the CPU, in float32, without gradients. Raises ModelError and
    WeightsError as `encode_pictures` does."""
    tower, state, path = _tower_and_state(source)
    _fill(tower, {key: _wide(read()) for key, read in state.items()}, path)
    for name, buffer in list(tower.named_buffers()):
        if buffer.is_meta:  # the one kind left out of files: how many batches a norm has seen
            owner, _, key = name.rpartition(".")
            tower.get_submodule(owner).register_buffer(key, torch.zeros_like(buffer, device="cpu"))
    return tower


@torch.inference_mode(False)
def _open_tower(source: Source, device: torch.device | str) -> nn.Module:
    """The same on a device, with blocks that are read when they are needed, each over the last,
    where the tower is a plain transformer."""
    tower, state, path = _tower_and_state(source)
    if not isinstance(tower, Transformer):
        return load_image_tower(source).to(device)
    own = {k: _wide(read()).to(device) for k, read in state.items() if not k.startswith(BLOCKS)}
    _fill(tower, own, path)
    # All blocks use the same memory: made anew for each it would leave holes in the heap, half the
    # tower's size in the end.
    shared = {
        k: torch.empty(v.shape, device=device) for k, v in tower.blocks[0].state_dict().items()
    }
    for number, block in enumerate(tower.blocks):
        block.register_forward_pre_hook(_reading(state, f"{BLOCKS}{number}.", shared, path))
    return tower


def _reading(
    state: State, start: str, shared: dict[str, Tensor], path: Path
) -> Callable[[nn.Module, Any], None]:
    """A hook that reads the tensors of a block, `start` before their names, into `shared`."""
    readers = {key: state[start + key] for key in shared}

    def read(module: nn.Module, _: Any) -> None:
        for key, reader in readers.items():
            tensor = reader()
            if tensor.shape != shared[key].shape:
                _fill(module, {key: tensor}, path)  # raises, and says where
            shared[key].copy_(tensor)
        _fill(module, shared, path)

    return read


def _tower_and_state(source: Source) -> tuple[nn.Module, State, Path]:
    """The tower without weights, the ways to read them, and their file."""
    path, arch = source.path, source.arch
    if path is None or arch.vision is None:
        raise ModelError(
            f"{path or source.name} holds a text encoder alone: give a CLIP with an image tower, "
            "or use texts"
        )
    tower = _empty_tower(arch, arch.vision).requires_grad_(False).eval()
    state = vision_state(WeightsFile(path), tower.state_dict())
    missing = [
        k for k in tower.state_dict() if k not in state and not k.endswith("num_batches_tracked")
    ]
    if missing:
        raise WeightsError(
            f"{path} has no {missing[0]} ({len(missing)} tensors of the image tower are missing): "
            "give a complete CLIP file, or texts as targets"
        )
    return tower, state, path


def _fill(module: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    try:
        module.load_state_dict(state, strict=False, assign=True)
    except RuntimeError as error:
        raise WeightsError(
            f"{path}: the image tower does not fit its configuration: {error}"
        ) from error
    module.requires_grad_(False)


def _empty_tower(arch: Architecture, vision: dict[str, Any]) -> nn.Module:
    """The tower without memory of its own, where that can be."""
    with torch.device("meta"):
        tower = plain(vision, arch.embed_dim, arch.activation)
    if tower is not None:
        return tower
    from open_clip import CLIP  # late: it takes seconds

    text = {"width": 64, "heads": 1, "layers": 1, "vocab_size": 8}  # not used, hence small
    quick = arch.activation == "quick_gelu"
    # timm's towers make tensors that no file holds: only open_clip's own need no memory here.
    with torch.device("cpu" if vision.get("timm_model_name") else "meta"):
        visual: nn.Module = CLIP(arch.embed_dim, vision, text, quick_gelu=quick).visual
    return visual


def _wide(tensor: Tensor) -> Tensor:
    """In float32 and contiguous, but for a norm's count of batches."""
    return tensor.to(torch.float32 if tensor.is_floating_point() else tensor.dtype).contiguous()


def _pooled(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    return output[0] if isinstance(output, tuple) else output
