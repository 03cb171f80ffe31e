"""Features of pictures from the image tower of a file. The tower is one of `vision`, or else
open_clip's.

The tower is built without memory and filled from the file. A search needs only the features, so
`encode_pictures` holds one block of a vision transformer at a time: 0.1 GB for a ViT-H-14, whose
whole tower takes 2.5 GB in float32 (benchmarks/speed/memory.py).
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

from ..errors import ModelError, PictureError, WeightsError, first_line, printable
from .architecture import OPENAI_MEAN, OPENAI_STD, Architecture
from .ensemble import join_features
from .scaled_weights import WAY_OUT
from .source import JointSource, Source
from .text_tower import no_op
from .vision import Transformer, plain, plain_preprocessing
from .vision_weights import State, vision_state
from .weights import count_layers
from .weights_file import WeightsFile

BATCH_SIZE = 4  # pictures in one pass: bounds the memory and the delay of a stop
STREAMED_BATCH_SIZE = 16  # if each pass reads the tower again: 0.3 GB for a ViT-H-14
BLOCKS = "transformer.resblocks."
_POSITION_IDS = "vision_model.embeddings.position_ids"  # of old transformers: 0, 1, 2, …


@torch.inference_mode(False)
def encode_pictures(
    source: Source | JointSource,
    pictures: Sequence[Image.Image],
    device: torch.device | str,
    held: Callable[[Source], nn.Module] | None = None,
    check_interrupt: Callable[[], None] = no_op,
) -> Tensor:
    """Unit features of RGB pictures, (N, E), float32, on `device`, from the image tower of each
    model of a source in turn.

    held: returns the loaded tower of a model, on `device`, for callers that keep towers. Without it
    every tower is read for this call alone. check_interrupt: called before every pass; what it
    raises ends the call.
    Raises PictureError without pictures, and ModelError or WeightsError when a file has no matching
    image tower.
    """
    if not pictures:
        raise PictureError("no picture was given: name at least one")
    opened = held or partial(_open_tower, device=device)
    size = BATCH_SIZE if held else STREAMED_BATCH_SIZE
    # No variable holds a tower: the first must be freed before the second is opened.
    features = [
        _features(opened(part), part, pictures, device, check_interrupt, size)
        for part in source.parts
    ]
    return join_features(features, source.weights)


def _features(
    tower: nn.Module,
    source: Source,
    pictures: Sequence[Image.Image],
    device: torch.device | str,
    check_interrupt: Callable[[], None],
    batch_size: int,
) -> Tensor:
    """Unit features of RGB pictures from one tower, (N, E). batch_size: pictures in a pass."""
    prepare = preprocessing(source.arch)
    features = []
    with torch.no_grad():
        for first in range(0, len(pictures), batch_size):
            check_interrupt()
            batch = [prepare(picture) for picture in pictures[first : first + batch_size]]
            features.append(_pooled(tower(torch.stack(batch).to(device))))
    result = torch.cat(features).float()
    if not bool(torch.isfinite(result).all()):
        raise WeightsError(
            f"{source.path}: its image tower returns values that are not finite numbers: the file "
            "is damaged, download or copy it again"
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
    from open_clip.transform import PreprocessCfg, image_transform_v2  # imported late: slow

    config = PreprocessCfg(size=size, mean=mean, std=std, **known)
    return image_transform_v2(config, is_train=False)


@torch.inference_mode(False)
def load_image_tower(source: Source) -> nn.Module:
    """The image tower of a file, on the CPU, in float32, without gradients. Raises ModelError and
    WeightsError as `encode_pictures` does."""
    return _filled(*_tower_and_state(source))


def _filled(tower: nn.Module, state: State, path: Path) -> nn.Module:
    _fill(tower, {key: stored.read() for key, stored in state.items()}, path)
    for name, buffer in list(tower.named_buffers()):
        if buffer.is_meta:  # only a norm's count of batches, which files leave out
            owner, _, key = name.rpartition(".")
            tower.get_submodule(owner).register_buffer(key, torch.zeros_like(buffer, device="cpu"))
    return tower


@torch.inference_mode(False)
def _open_tower(source: Source, device: torch.device | str) -> nn.Module:
    """The image tower of a file on a device. If it is a plain transformer, each block is read when
    it is needed and overwrites the previous one."""
    tower, state, path = _tower_and_state(source)
    if not isinstance(tower, Transformer):
        return _filled(tower, state, path).to(device)
    own = {k: v.read().to(device) for k, v in state.items() if not k.startswith(BLOCKS)}
    _fill(tower, own, path)
    # All blocks use the same memory. Memory allocated anew for each would fragment the heap by half
    # the tower's size.
    shared = {
        k: torch.empty(v.shape, device=device) for k, v in tower.blocks[0].state_dict().items()
    }
    for number, block in enumerate(tower.blocks):
        block.register_forward_pre_hook(_reading(state, f"{BLOCKS}{number}.", shared, path))
    return tower


def _reading(
    state: State, start: str, shared: dict[str, Tensor], path: Path
) -> Callable[[nn.Module, Any], None]:
    """A hook that reads the tensors of a block into `shared`; `start` is the prefix of their
    names."""
    readers = {key: state[start + key] for key in shared}

    def read(module: nn.Module, _: Any) -> None:
        for key, stored in readers.items():
            shared[key].copy_(stored.read())
        _fill(module, shared, path)

    return read


def _tower_and_state(source: Source) -> tuple[nn.Module, State, Path]:
    """The tower without weights, the readers of its weights, and their file."""
    path, arch = source.path, source.arch
    if path is None or arch.vision is None:
        raise ModelError(
            f"{path or source.name} holds a text encoder alone: give a CLIP with an image tower, "
            "or use texts as targets"
        )
    file = WeightsFile(path)
    state = vision_state(file)
    _require_layers(state, arch.vision, path)
    tower = _empty_tower(arch, arch.vision, path)
    wanted = tower.state_dict()
    missing = [k for k in wanted if k not in state and not k.endswith("num_batches_tracked")]
    if missing:
        raise WeightsError(
            f"{path} has no {missing[0]} ({len(missing)} tensors of the image tower are missing): "
            "give a complete CLIP file, or texts as targets"
        )
    _require_same(state, tower, path)
    if arch.vision.get("timm_model_name"):
        # timm's towers create tensors that no file holds, so they cannot be filled on meta.
        tower = _by_open_clip(arch, arch.vision, path, "cpu")
    tower = tower.requires_grad_(False).eval()
    return tower, {name: state[name] for name in wanted if name in state}, path


def _require_layers(state: State, vision: dict[str, Any], path: Path) -> None:
    """Raises WeightsError unless a file has as many blocks as its configuration says. Before the
    tower is built, which takes time for each block."""
    if not state:
        raise WeightsError(
            f"{path} has no image tower: give a complete CLIP file, or texts as targets"
        )
    layers = vision.get("layers")
    if layers is None or vision.get("timm_model_name"):
        return
    if isinstance(layers, int):
        said, found = [layers], [count_layers(state, BLOCKS)]
    else:
        said = list(layers)
        found = [count_layers(state, f"layer{i}.") for i in range(1, len(said) + 1)]
    if said != found:
        raise WeightsError(
            f"{path} has {_listed(found)} blocks in its image tower, but the configuration says "
            f"{_listed(said)}: give the configuration of this file"
        )


def _require_same(state: State, tower: nn.Module, path: Path) -> None:
    """Raises WeightsError for tensors of other shapes than the tower's, and for more of them: they
    would change what it computes."""
    wanted = tower.state_dict()
    for name, stored in state.items():
        if name in wanted and stored.shape != tuple(wanted[name].shape):
            raise WeightsError(
                f"{path}: the image tower does not fit its configuration: {printable(name)} has "
                f"the shape {stored.shape}, but the configuration says "
                f"{tuple(wanted[name].shape)}: give the configuration of this file"
            )
    known = {*wanted, *(name for name, _ in tower.named_buffers()), _POSITION_IDS}
    more = [name for name in state if name not in known]
    if more:
        raise WeightsError(
            f"{path} has {printable(more[0])} ({len(more)} tensors of its image tower are not "
            "those of the configuration): it is another architecture or quantised in a way that is "
            f"not read; give the configuration of this file, or {WAY_OUT}"
        )


def _fill(module: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    try:
        module.load_state_dict(state, strict=False, assign=True)
    except RuntimeError as error:
        raise WeightsError(
            f"{path}: the image tower does not fit its configuration: {first_line(error)}"
        ) from error
    module.requires_grad_(False)


def _empty_tower(arch: Architecture, vision: dict[str, Any], path: Path) -> nn.Module:
    """The tower without memory, where that is possible."""
    with torch.device("meta"):
        tower = plain(vision, arch.embed_dim, arch.activation)
    if tower is not None:
        return tower
    try:
        return _by_open_clip(arch, vision, path, "meta")
    except ModelError:
        if not vision.get("timm_model_name"):
            raise
        return _by_open_clip(arch, vision, path, "cpu")  # old versions of timm need it


def _by_open_clip(arch: Architecture, vision: dict[str, Any], path: Path, device: str) -> nn.Module:
    """The tower that open_clip builds, with no weights but random ones."""
    from open_clip import CLIP  # imported late: slow

    text = {"width": 64, "heads": 1, "layers": 1, "vocab_size": 8}  # unused, therefore small
    quick = arch.activation == "quick_gelu"
    described = {**vision, "timm_model_pretrained": False}
    try:
        with torch.device(device):
            visual: nn.Module = CLIP(arch.embed_dim, described, text, quick_gelu=quick).visual
    except Exception as error:  # from open_clip or timm, whose versions know different settings
        raise ModelError(
            f"{path}: open_clip cannot build the image tower of its configuration "
            f"({first_line(error)}): use texts as targets, or another version of open_clip_torch"
        ) from error
    return visual


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))


def _pooled(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    return output[0] if isinstance(output, tuple) else output
