"""What the way from a command to its prompt does not load, and that nothing is lost by it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import open_clip
import pytest

from pez_core.cli.command import VERBS
from pez_core.hub import open_clip_files
from pez_core.text.vocabulary import Vocabulary
from tests.support.commands import environment

SLOW = ("torchvision", "transformers", "timm", "open_clip", "torch._dynamo", "torch._inductor")
INVERT = """
import sys
from pez_core.cli import main
code = main(["invert", {picture!r}, "--steps", "2"])
print(code, *[name for name in {slow!r} if name in sys.modules])
"""
HEAVY = ("torch", "numpy", "PIL", "open_clip", "transformers", "huggingface_hub", "safetensors")
COMMANDS = """
import contextlib, io, sys
from pez_core.cli import main
codes = []
for words in {commands!r}:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            codes.append(main(words))
        except SystemExit as stop:
            codes.append(stop.code)
print(codes, *[name for name in {heavy!r} if name in sys.modules])
"""
# Commands that end before their work begins, with their exit codes.
EARLY: dict[tuple[str, ...], int] = {
    ("--version",): 0, ("--help",): 0, ("help",): 0, (): 2, ("invertt",): 2, ("--tokens",): 2,
    **{(verb, "--help"): 0 for verb in VERBS},
    **{(verb, "--no-such-option"): 2 for verb in VERBS},
    ("invert",): 2, ("invert", "--text", " "): 2, ("invert", "a", "--tokens", "0"): 2,
    ("invert", "a", "--lr", "-1"): 2, ("invert", "a", "--avoid-file", "no such file"): 2,
    ("style", "a", "--apply", "no field"): 2, ("style", "a", "--subject", ""): 2,
    ("mix", "a@0"): 2, ("mix", "a", "--mode", "concatenate", "--template", "{1}"): 2,
    ("distill", ""): 2, ("explain", " ", "--picture", "a"): 2,
    ("invert-folder", "a", "--out", "b", "--workers", "1"): 2,
    ("evaluate", "a", "--out", "b", "--images", "0"): 2,
    ("learn-text", "--model", "a", "--data", "b", "--verbalizer", "c"): 2,
    ("compare-text", "--model", "a", "--data", "b", "--verbalizer", "c=d"): 2,
    ("invert-sentence", " ", "--encoder", "a"): 2,
}  # fmt: skip
WAITING = """
import os, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print(os.environ.get("OMP_WAIT_POLICY"), flush=True)
            os._exit(0)
sys.meta_path.insert(0, Finder())
from pez_core.cli import main
main(["invert", "--text", "a"])
"""
CONFIG = """
import sys
from pez_core.clip.model_names import find_model
arch = find_model("ViT-H-14:none.safetensors").arch
print(arch.layers, "open_clip" in sys.modules)
"""


def printed(code: str) -> str:
    """The last line that a fresh interpreter prints."""
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()[-1]


def test_what_ends_early_loads_nothing_that_is_slow() -> None:
    """Help, versions and errors of usage: torch alone takes seconds. In one process, so an import
    by any of them shows."""
    commands = [list(words) for words in EARLY]
    codes = list(EARLY.values())
    assert printed(COMMANDS.format(commands=commands, heavy=HEAVY)) == f"{codes}"


def test_tokens_are_shown_without_torch() -> None:
    commands = [["tokens", "a cat"], ["tokens", "a cat", "--json"]]
    assert printed(COMMANDS.format(commands=commands, heavy=HEAVY)) == "[0, 0]"


def test_a_verb_loads_no_other() -> None:
    code = (
        "import sys; from pez_core.cli import main; main(['tokens', 'a']); "
        "print(*[name for name in sys.modules if name.startswith('pez_core.cli.invert')])"
    )
    assert printed(code) == ""


def test_threads_wait_passively_from_the_import_of_torch_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """OpenMP reads the variable only then. A user's own is kept."""
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert printed(WAITING) == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert printed(WAITING) == "ACTIVE"


def test_a_picture_becomes_a_prompt_without_the_slow_packages(root: Path) -> None:
    """Each of them costs 1 to 4 s, and one import anywhere on the way brings it back."""
    picture = str(root / "examples" / "watermelon.png")
    assert printed(INVERT.format(picture=picture, slow=SLOW)) == "0"


def test_a_registered_architecture_is_read_without_the_package() -> None:
    assert printed(CONFIG) == "24 False"


def test_a_loaded_open_clip_is_used_as_it_is() -> None:
    """Here it is loaded: what is registered with it counts, and no second copy is made."""
    assert open_clip_files.part("tokenizer") is sys.modules["open_clip.tokenizer"]
    assert open_clip_files.model_config("ViT-H-14") == open_clip.get_model_config("ViT-H-14")
    assert open_clip_files.model_config("no such") is None


def test_the_files_alone_are_the_package_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokeniser, weights list and configurations, read past the package, say the same."""
    monkeypatch.delitem(sys.modules, "open_clip")
    tokenizer = open_clip_files.part("tokenizer")
    assert tokenizer.__name__.endswith("open_clip_files.tokenizer")
    words = Vocabulary()
    text = "Ünïcode, two cats' 12 apples &amp; more"
    assert words.encode(text) == open_clip.tokenizer.SimpleTokenizer().encode(text)
    listed = open_clip_files.part("pretrained")
    ours = listed.get_pretrained_cfg("ViT-L-14", "openai")
    assert ours == open_clip.get_pretrained_cfg("ViT-L-14", "openai")
    assert open_clip_files.model_config("ViT-L-14") == open_clip.get_model_config("ViT-L-14")


def test_a_moved_file_comes_from_the_whole_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With nothing at the path, as after a change of open_clip's layout."""
    monkeypatch.setattr(open_clip_files, "__path__", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "open_clip")
    monkeypatch.delitem(sys.modules, f"{open_clip_files.__name__}.tokenizer", raising=False)
    monkeypatch.setitem(sys.modules, "open_clip.tokenizer", open_clip.tokenizer)
    assert open_clip_files.part("tokenizer").SimpleTokenizer().vocab_size == 49408
    assert open_clip_files.model_config("ViT-H-14") == open_clip.get_model_config("ViT-H-14")
