"""open_clip's vision_cfg and preprocess_cfg, with every entry checked.

They reach open_clip and timm, which would download weights and read pickles if a configuration said
so. So only known entries with known kinds of values pass, and a timm tower is a plain name whose
weights come from the model's own file.
"""

from __future__ import annotations

import re
from typing import Any

from ..hub.configuration import Section

MOST_PIXELS = 1024  # per side; the CLIPs with the largest pictures have 512
MOST_PATCHES = 64  # per side; the largest have 37. Attention takes the fourth power of it
_RATIO = 100  # an MLP has at most so many times the width, and at least that part of it
_TIMM_NAME = re.compile(r"\w{1,100}(\.\w{1,100})?", re.ASCII)  # no ":" or "/", no path and no hub
_TRANSFORMER: dict[str, Any] = {
    "image_size": 224, "patch_size": 16, "width": 768, "layers": 12, "head_width": 64,
    "mlp_ratio": 4.0,
}  # fmt: skip  # open_clip's own defaults
_FLAGS = (
    "no_ln_pre", "final_ln_after_pool", "output_tokens", "qk_norm", "scaled_cosine_attn",
    "scale_heads", "scale_attn_inner", "scale_attn", "scale_fc", "timm_proj_bias",
)  # fmt: skip
# The values of each entry that is one of a few; the first is the one of an absent entry.
_CHOICES: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(_FLAGS, (False, True)),
    "attentional_pool": (False, True, "parallel", "cascade"),
    "pool_type": ("tok", "avg"),
    "pos_embed_type": ("learnable", "sin_cos_2d"),
    "block_type": (None, "default", "custom"),
    "timm_pool": ("avg", "", "token", "map", "max", "avgmax", "abs_attn", "rot_attn"),
    "timm_proj": ("linear", "mlp", "none", "", None),
    "timm_model_pretrained": (False, True),  # never passed on
}
_SHARES = ("patch_dropout", "timm_drop", "timm_drop_path")  # of what training leaves out
_COUNTS = {"attn_pooler_queries": 256, "attn_pooler_heads": 8}
_KNOWN = {
    *_TRANSFORMER, *_CHOICES, *_SHARES, *_COUNTS, "ls_init_value", "act_kwargs", "norm_kwargs",
    "timm_model_name",
}  # fmt: skip


def checked_vision(vision: Section) -> dict[str, Any]:
    """The entries of a vision_cfg, complete with open_clip's defaults for the sizes. Raises
    ModelError, which names the entry, for one that is unknown or has a value that open_clip's image
    towers do not have."""
    vision.require_known(_KNOWN)
    for name, values in _CHOICES.items():
        vision.one_of(name, values)
    for name in _SHARES:
        if vision.entries.get(name) is not None:
            vision.number(name, 0, 0, 1)
    for name, default in _COUNTS.items():
        vision.whole(name, default)
    if vision.entries.get("ls_init_value") is not None:
        vision.number("ls_init_value", 0, 0, 100)
    _check_options(vision)
    given = dict(vision.entries)
    given.pop("timm_model_pretrained", None)
    timm_name = given.get("timm_model_name")
    if timm_name not in (None, ""):
        if not isinstance(timm_name, str) or not _TIMM_NAME.fullmatch(timm_name):
            vision.refuse(
                "timm_model_name", "the plain name of an architecture of timm: models of the hub "
                "and of folders are not loaded through a configuration"
            )  # fmt: skip
        _sides(vision)
        timm = {k: v for k, v in given.items() if k == "image_size" or k.startswith("timm_")}
        return {"image_size": _TRANSFORMER["image_size"], **timm}
    _check_sizes(vision)
    return {**_TRANSFORMER, **given}


def checked_preprocess(preprocess: Section) -> dict[str, Any]:
    """The entries of a preprocess_cfg that are used. Others are ignored, as open_clip does."""
    known: dict[str, Any] = {
        "mean": preprocess.three("mean", -1000, 1000),
        "std": preprocess.three("std", 1e-6, 1000),
        "interpolation": preprocess.one_of("interpolation", (None, "bicubic", "bilinear")),
        "resize_mode": preprocess.one_of("resize_mode", (None, "shortest", "longest", "squash")),
    }
    if preprocess.entries.get("fill_color") is not None:
        known["fill_color"] = preprocess.whole("fill_color", 0, most=255, least=0)
    return {name: value for name, value in known.items() if value is not None}


def _check_sizes(vision: Section) -> None:
    """The sizes of a vision transformer, or of a residual network if `layers` is a list."""
    width = vision.whole("width", _TRANSFORMER["width"])
    head_width = vision.whole("head_width", _TRANSFORMER["head_width"])
    vision.number("mlp_ratio", _TRANSFORMER["mlp_ratio"], 1 / _RATIO, _RATIO)
    layers = vision.entries.get("layers", _TRANSFORMER["layers"])
    if isinstance(layers, list | tuple):
        if len(layers) != 4 or not all(type(n) is int and n > 0 for n in layers):
            vision.refuse("layers", "a whole number, or four of them for a residual network")
        patch, in_heads = 32, 32 * width  # what the network reduces a side by, and ends with
    else:
        vision.whole("layers", _TRANSFORMER["layers"])
        patch, in_heads = vision.whole("patch_size", _TRANSFORMER["patch_size"]), width
    if not all(1 <= side // patch <= MOST_PATCHES for side in _sides(vision)):
        vision.refuse("image_size", f"from 1 to {MOST_PATCHES} times {patch}, a patch, per side")
    if in_heads % head_width:
        vision.refuse("head_width", f"a divisor of the width {in_heads}")


def _sides(vision: Section) -> list[int]:
    """The sides of a picture in pixels, one or two."""
    size = vision.entries.get("image_size", _TRANSFORMER["image_size"])
    sides = list(size) if isinstance(size, list | tuple) and len(size) == 2 else [size]
    if not all(type(side) is int and 1 <= side <= MOST_PIXELS for side in sides):
        vision.refuse("image_size", f"one or two whole numbers from 1 to {MOST_PIXELS:,}")
    return sides


def _check_options(vision: Section) -> None:
    """The arguments of the activation and of the norms."""
    for name in ("act_kwargs", "norm_kwargs"):
        if vision.entries.get(name) is None:
            continue
        options = vision.section(name)
        if name == "act_kwargs":
            options.require_known(("approximate",))
            options.one_of("approximate", ("none", "tanh"))
        else:
            options.require_known(("eps",))
            options.number("eps", 1e-5, 0, 1)
