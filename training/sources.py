"""The picture sets that the embedded model learns from, and those reserved for evaluation.

Every set is an npm package at a fixed version. `role` determines its use: a set marked `reserved`
is never used in training. This table is also the source of NOTICE.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """One npm package of drawings."""

    key: str
    package: str
    version: str
    licence: str
    author: str
    url: str
    style_words: tuple[str, ...]
    """Words that a caption may use for this set's style of drawing."""
    weight: float = 1.0
    """The frequency of a sprite of this set, relative to a coloured emoji sprite."""
    mono: bool = False
    """Whether it is drawn in one colour (`currentColor`), so that any colour can replace it."""
    kind: str = "emoji"
    """`emoji`: named after emoji. `icon`: a general icon set; only drawings with the exact name of
    an emoji are used. `webp`: a folder of pictures named by code point."""
    role: str = "train"


_STREAMLINE = "https://github.com/webalys-hq/streamline-vectors"
_FLUENT = "https://github.com/microsoft/fluentui-emoji"
_NOTO = "https://github.com/googlefonts/noto-emoji"
_EMOJITWO = "https://github.com/EmojiTwo/emojitwo"

_CARTOON = ("cartoon", "emoji", "cartoon emoji")
_FLAT = ("flat", "flat icon", "flat emoji")
_ICON = ("icon", "stencil", "stencil icon")

SOURCES: tuple[Source, ...] = (
    Source("noto", "@iconify-json/noto", "1.2.9", "Apache-2.0", "Google", _NOTO, _CARTOON),
    Source("noto-v1", "@iconify-json/noto-v1", "1.2.5", "Apache-2.0", "Google", _NOTO, _CARTOON),
    Source(
        "twemoji",
        "@iconify-json/twemoji",
        "1.2.5",
        "CC-BY-4.0",
        "Twitter",
        "https://github.com/jdecked/twemoji",
        _FLAT,
    ),
    Source(
        "emojione", "@iconify-json/emojione", "1.2.3", "CC-BY-4.0", "Emoji One", _EMOJITWO, _CARTOON
    ),
    Source(
        "emojione-mono",
        "@iconify-json/emojione-monotone",
        "1.2.1",
        "CC-BY-4.0",
        "Emoji One",
        _EMOJITWO,
        _ICON,
        weight=0.4,
        mono=True,
    ),
    Source(
        "fluent",
        "@iconify-json/fluent-emoji",
        "1.2.7",
        "MIT",
        "Microsoft",
        _FLUENT,
        ("glossy", "glossy icon"),
    ),
    Source(
        "fluent-flat",
        "@iconify-json/fluent-emoji-flat",
        "1.2.6",
        "MIT",
        "Microsoft",
        _FLUENT,
        _FLAT,
    ),
    Source(
        "fluent-mono",
        "@iconify-json/fluent-emoji-high-contrast",
        "1.2.6",
        "MIT",
        "Microsoft",
        _FLUENT,
        _ICON,
        weight=0.4,
        mono=True,
    ),
    Source(
        "fluent-3d",
        "@lobehub/fluent-emoji-3d",
        "1.1.0",
        "MIT",
        "Microsoft (LobeHub)",
        _FLUENT,
        ("render", "glossy render"),
        kind="webp",
    ),
    Source(
        "streamline-emojis",
        "@iconify-json/streamline-emojis",
        "1.2.4",
        "CC-BY-4.0",
        "Streamline",
        _STREAMLINE,
        _CARTOON,
    ),
    Source(
        "kameleon",
        "@iconify-json/streamline-kameleon-color",
        "1.2.2",
        "CC-BY-4.0",
        "Streamline",
        _STREAMLINE,
        _FLAT,
        weight=0.5,
        kind="icon",
    ),
    Source(
        "stickies",
        "@iconify-json/streamline-stickies-color",
        "1.2.2",
        "CC-BY-4.0",
        "Streamline",
        _STREAMLINE,
        _CARTOON,
        weight=0.5,
        kind="icon",
    ),
    Source(
        "freehand",
        "@iconify-json/streamline-freehand-color",
        "1.2.2",
        "CC-BY-4.0",
        "Streamline",
        _STREAMLINE,
        ("drawing", "doodle"),
        weight=0.5,
        kind="icon",
    ),
    Source(
        "ultimate",
        "@iconify-json/streamline-ultimate-color",
        "1.2.2",
        "CC-BY-4.0",
        "Streamline",
        _STREAMLINE,
        _CARTOON,
        weight=0.5,
        kind="icon",
    ),
    Source(
        "plump",
        "@iconify-json/streamline-plump-color",
        "1.2.2",
        "CC-BY-4.0",
        "Streamline",
        _STREAMLINE,
        _FLAT,
        weight=0.5,
        kind="icon",
    ),
    Source(
        "flat-color",
        "@iconify-json/flat-color-icons",
        "1.2.3",
        "MIT",
        "Icons8",
        "https://github.com/icons8/flat-Color-icons",
        _FLAT,
        weight=0.5,
        kind="icon",
    ),
    Source(
        "icon-park",
        "@iconify-json/icon-park",
        "1.2.4",
        "Apache-2.0",
        "ByteDance",
        "https://github.com/bytedance/IconPark",
        ("icon", "flat icon"),
        weight=0.3,
        kind="icon",
    ),
    Source(
        "phosphor",
        "@iconify-json/ph",
        "1.2.2",
        "MIT",
        "Phosphor Icons",
        "https://github.com/phosphor-icons/core",
        _ICON,
        weight=0.12,
        mono=True,
        kind="icon",
    ),
    Source(
        "tabler",
        "@iconify-json/tabler",
        "1.2.41",
        "MIT",
        "Paweł Kuna",
        "https://github.com/tabler/tabler-icons",
        _ICON,
        weight=0.2,
        mono=True,
        kind="icon",
    ),
    Source(
        "mdi",
        "@iconify-json/mdi",
        "1.2.3",
        "Apache-2.0",
        "Pictogrammers",
        "https://github.com/Templarian/MaterialDesign",
        _ICON,
        weight=0.2,
        mono=True,
        kind="icon",
    ),
    Source(
        "lucide",
        "@iconify-json/lucide",
        "1.2.137",
        "ISC",
        "Lucide Contributors",
        "https://github.com/lucide-icons/lucide",
        _ICON,
        weight=0.2,
        mono=True,
        kind="icon",
    ),
    Source(
        "game-icons",
        "@iconify-json/game-icons",
        "1.2.4",
        "CC-BY-3.0",
        "Game-icons.net authors",
        "https://github.com/game-icons/icons",
        _ICON,
        weight=0.3,
        mono=True,
        kind="icon",
    ),
    Source(
        "fxemoji",
        "@iconify-json/fxemoji",
        "1.2.2",
        "Apache-2.0",
        "Mozilla",
        "https://github.com/mozilla/fxemoji",
        _CARTOON,
        role="reserved",
    ),
    Source(
        "openmoji",
        "@iconify-json/openmoji",
        "1.2.29",
        "CC-BY-SA-4.0",
        "OpenMoji",
        "https://github.com/hfg-gmuend/openmoji",
        _CARTOON,
        role="reserved",
    ),
)

EMOJIBASE = ("emojibase-data", "17.0.0")
"""English names and tags of all emoji (MIT)."""


def source_by_key(key: str) -> Source:
    """The source with the key `key`."""
    for source in SOURCES:
        if source.key == key:
            return source
    raise KeyError(f"unknown source {key!r}: choose one of {', '.join(s.key for s in SOURCES)}")


def npm_arguments() -> list[str]:
    """Every package as an argument of npm, `name@version`."""
    return [f"{s.package}@{s.version}" for s in SOURCES] + ["@".join(EMOJIBASE)]


if __name__ == "__main__":
    print("\n".join(npm_arguments()))  # rebuild.sh passes these lines to npm
