"""A process that loads models while every way to the network, to other programs and to code in data
is trapped: `python -m tests.support.trap`, with a JSON list of cases on its standard input.

A case is the name of a loader and a path. For each, one line of JSON on standard output tells what
went into the trap, and how the loading ended.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

MARK = "PEZ_TRAP"  # in every code that a hostile folder holds
NETWORK = (
    "socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto",
    "urllib.Request", "http.client.connect",
)  # fmt: skip
PROGRAMS = (
    "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "pty.spawn",
    "builtins.input",  # transformers asks whether it may run code
)  # fmt: skip


class Trapped(BaseException):
    """Raised in the trap. Not an Exception, which a library would handle and go on."""


class Trap:
    """Notes what happens while it is armed, by Python's audit events."""

    def __init__(self) -> None:
        self.folder: str | None = None
        self.caught: list[str] = []
        sys.addaudithook(self.hook)

    def hook(self, event: str, args: tuple[Any, ...]) -> None:
        if self.folder is None:
            return
        if event in NETWORK or event in PROGRAMS or event == "pickle.find_class":
            self.catch(event)
        elif event == "open" and str(args[0]).startswith(self.folder):
            if str(args[0]).endswith((".py", ".pyc", ".so")):
                self.catch("code of the folder")
        elif event == "compile" and MARK in str(args[0]):
            self.catch("code of the folder")

    def catch(self, what: str) -> None:
        self.caught.append(what)
        raise Trapped(what)


def clip(path: str) -> None:
    from PIL import Image

    from pez_core import load_model

    load_model(path).encode_pictures([Image.new("RGB", (32, 32))])


def language(path: str) -> None:
    from pez_core.language_model import load_language_model

    load_language_model(path)


def sentence(path: str) -> None:
    from pez_core.language_model import load_sentence_encoder

    load_sentence_encoder(path)


def pipeline(path: str) -> None:
    import torch

    from pez_core.painter.pipeline import Painter
    from pez_core.painter.settings import PainterSettings

    Painter(PainterSettings(painter=path, scheduler=None, dtype="float32"), torch.device("cpu"))


def open_clip_alone(path: str) -> None:
    """What open_clip does with the same configuration, as if timm fetched by default."""
    from open_clip import CLIP

    model = json.loads(Path(path, "open_clip_config.json").read_text())["model_cfg"]
    CLIP(model["embed_dim"], model["vision_cfg"], {"width": 64, "heads": 1, "layers": 1})


def transformers_alone(path: str) -> None:
    import transformers

    transformers.AutoModelForCausalLM.from_pretrained(path, trust_remote_code=True)


def pickled(path: str) -> None:
    import torch

    torch.load(Path(path, "pytorch_model.bin"), weights_only=False)


def imported(path: str) -> None:
    spec = importlib.util.spec_from_file_location("evil", Path(path, "evil.py"))
    assert spec and spec.loader
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


def run_program(path: str) -> None:
    subprocess.run(["true"], check=False)


def evaluated(path: str) -> None:
    exec(Path(path, "evil.txt").read_text())


def asked_for(path: str) -> None:
    urllib.request.urlopen("http://example.invalid/")


LOADERS: dict[str, Callable[[str], None]] = {
    f.__name__: f
    for f in (
        clip, language, sentence, pipeline, open_clip_alone, transformers_alone, pickled, imported,
        run_program, evaluated, asked_for,
    )
}  # fmt: skip


def main() -> None:
    import diffusers  # noqa: F401  (imports of libraries are not under trial)
    import open_clip  # noqa: F401
    import torch
    import transformers

    from pez_core.errors import PezError

    trap, load = Trap(), torch.load

    def watched(*args: Any, **options: Any) -> Any:
        """torch.load, which nothing here may reach, whatever it takes."""
        if trap.folder is not None:
            trap.catch("torch.load")
        return load(*args, **options)

    torch.load = watched
    transformers.logging.set_verbosity_error()
    for loader, path in json.load(sys.stdin):
        trap.folder, trap.caught = os.path.join(path, ""), []
        try:
            LOADERS[loader](path)
            end, message = "loaded", ""
        except PezError as error:
            end, message = "refused", str(error)
        except BaseException as error:
            end, message = type(error).__name__, str(error)
        trap.folder = None
        print(json.dumps({"caught": trap.caught, "end": end, "message": message}), flush=True)


if __name__ == "__main__":
    main()
