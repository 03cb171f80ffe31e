"""Every command in the code blocks of README.md and docs runs as it is written there, in a folder
with the examples and a few files of the names that the pages use.

What needs a large model is run with the embedded one in its place, or, where that is impossible, is
read by the parser: SHORTENED and ONLY_READ say why.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pez_core.cli.command import load_verbs
from pez_core.cli.parser import make_parser
from tests.support.commands import Pez
from tests.support.page_commands import Command, blocks, page_commands

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    path.relative_to(ROOT).as_posix() for path in (ROOT / "README.md", *ROOT.glob("docs/*.md"))
]
ONLY_READ = {
    "evaluate": "paints with a diffusion model",
    "learn-text": "searches with a language model",
    "compare-text": "searches with language models",
    "invert-sentence": "searches with a sentence encoder",
}
# Instead of a model of gigabytes that is downloaded; and `paper` takes 3000 steps.
SHORTENED = ["--model", "demo", "--steps", "2"]
PICTURES = ("photo.png", "a.jpg", "b.jpg", "a.png", "b.png", "c.png", "fox.png", "waves.png")
FOUND_NOTHING = {"check": {0, 1}}  # exit codes; 1 says what was found


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def furnish(folder: Path, page: str) -> None:
    """The files that the commands name. README.md needs only what is in a clone."""
    shutil.copytree(ROOT / "examples", folder / "examples")
    if page == "README.md":
        return
    drawings = sorted(folder.glob("examples/*.png"))
    for name, drawing in zip((*PICTURES, "logo.png"), drawings * 2, strict=False):
        shutil.copy(drawing, folder / name)
    (folder / "photos" / "below").mkdir(parents=True)
    shutil.copy(drawings[0], folder / "photos" / "1.png")
    shutil.copy(drawings[1], folder / "photos" / "below" / "2.png")
    (folder / "avoid.txt").write_text("pizza\n")
    (folder / "bank.txt").write_text("red heart\n")
    (folder / "prompts.txt").write_text("a red heart\na cat\n")


def run_pez(pez: Pez, arguments: Command) -> bool:
    """Runs a command line of `pez`, or reads it. Returns whether it was run."""
    verb = arguments[0]
    if verb in ONLY_READ:
        make_parser(load_verbs()).parse_args(arguments)  # exits for a command that is wrong
        return False
    small = "--model" not in arguments or "demo" in arguments
    code, out, err = pez(*arguments, *([] if small else SHORTENED))
    assert code in FOUND_NOTHING.get(verb, {0}), f"pez {' '.join(arguments)}: {err}"
    assert out or verb == "invert-folder", f"pez {' '.join(arguments)} printed nothing"
    return True


def check_pip(arguments: Command) -> None:
    """What is installed exists: a file of requirements, this project's extras, or a package that
    it or its checks install too."""
    assert arguments[0] == "install"
    for word in arguments[1:]:
        if word.startswith("-"):
            continue
        extras = re.fullmatch(r"\.(?:\[([\w,]+)\])?", word)
        if extras:
            project = read("pyproject.toml")
            for extra in filter(None, (extras[1] or "").split(",")):
                assert re.search(rf"^{extra} = \[", project, re.M), word
        elif word.endswith(".txt"):
            assert (ROOT / word.removeprefix("pez-prompts/")).is_file(), word
        else:
            assert word in read(".ci/run") + read("pyproject.toml"), f"{word}: does it exist?"


def check_python(arguments: Command) -> None:
    """A module that is run exists; code compiles."""
    if arguments[0] == "-c":
        compile(arguments[1], "<page>", "exec")
    elif arguments[1] not in ("venv", "pytest"):
        assert runs(arguments[1]), arguments


def runs(module: str) -> bool:
    """Whether `python -m MODULE` finds a file of this project."""
    path = ROOT.joinpath(*module.split("."))
    return path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()


def run_jq(arguments: Command, folder: Path) -> None:
    """Runs jq on lines that `pez invert-folder` has written."""
    if shutil.which("jq") is None:
        return
    (folder / "result" / "prompts").mkdir(parents=True, exist_ok=True)
    shutil.copy(folder / "prompts.jsonl", folder / "result" / "prompts" / "pez.jsonl")
    done = subprocess.run(["jq", *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 2, (arguments, done.stderr)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_runs(
    pez: Pez, page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = page_commands(read(page), tmp_path / "shell")
    folder = tmp_path / "here"
    folder.mkdir()
    furnish(folder, page)
    monkeypatch.chdir(folder)
    if any(program == "jq" for program, *_ in commands):
        assert pez("invert-folder", "photos", "--out", "prompts.jsonl", *SHORTENED)[0] == 0
    for program, *arguments in commands:
        if program == "pez":
            run_pez(pez, arguments)
        elif program == "pip":
            check_pip(arguments)
        elif program == "git":
            assert arguments[0] == "clone" and f'"{arguments[1]}"' in read("pyproject.toml")
        elif program == "jq":
            run_jq(arguments, folder)
        else:
            check_python(arguments)


def test_most_commands_are_run(tmp_path: Path) -> None:
    """So that the test above is not empty, and what is only read stays the exception."""
    found = [
        c for i, page in enumerate(PAGES) for c in page_commands(read(page), tmp_path / f"{i}")
    ]
    verbs = [arguments[0] for program, *arguments in found if program == "pez"]
    read_only = [verb for verb in verbs if verb in ONLY_READ]
    assert len(verbs) >= 50 and len(read_only) <= 20, (len(verbs), len(read_only))
    assert set(read_only) == set(ONLY_READ)
    run = {
        "invert", "invert-folder", "mix", "style", "distill", "paint", "rank", "explain", "check",
        "tokens",
    }  # fmt: skip
    assert run == set(verbs) - set(ONLY_READ)


@pytest.mark.parametrize("page", PAGES)
def test_no_command_hides_in_another_block(page: str) -> None:
    """A command is in a block of `bash`, or after `$ ` in a block without a language; no other
    language is used."""
    for language, text in blocks(read(page)):
        assert language in ("", "bash", "python", "json"), language
        if language in ("", "json"):
            assert not re.search(r"^ *(pez|pip|python3?|git|jq) ", text, re.M), text


@pytest.mark.parametrize("page", PAGES)
def test_the_python_of_a_page_runs(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the embedded model; of a block that needs another one, all names exist."""
    furnish(tmp_path, page)
    monkeypatch.chdir(tmp_path)
    for language, text in blocks(read(page)):
        if language != "python":
            continue
        if 'load_model("demo")' in text:
            exec(compile(text, page, "exec"), {})
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(str(node.module))
                assert all(hasattr(module, alias.name) for alias in node.names), text


def test_every_module_that_is_named_exists() -> None:
    """`python -m MODULE` in a sentence."""
    named = [m for page in PAGES for m in re.findall(r"`python -m ([\w.]+)", read(page))]
    assert len(named) > 15
    for module in named:
        assert runs(module), module


def test_nothing_is_installed_by_a_name_that_no_registry_has() -> None:
    """This project is installed from a clone: `.[ray]`, not `pez-prompts[ray]`."""
    for folder in ("pez_core", "nodes", "docs", "web"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".md", ".js"):
                assert "pez-prompts[" not in path.read_text(encoding="utf-8"), path
    for page in PAGES:
        for words in re.findall(r"`pip (install [^`]*)`", read(page)):
            check_pip([word.strip("'") for word in words.split()])


def test_the_packages_that_errors_name_are_those_of_the_extras() -> None:
    """With the versions that the extras ask for."""
    from pez_core.batch.ray_batch import RAY
    from pez_core.language_model.loading import EXTRA
    from pez_core.painter.loading import PACKAGES

    for extra, advice in (("ray", RAY), ("paint", PACKAGES), ("lm", EXTRA)):
        listed = re.search(rf"^{extra} = \[(.*)\]", read("pyproject.toml"), re.M)
        assert listed is not None
        wanted = json.loads(f"[{listed[1]}]")
        assert advice.startswith("pip install ") and re.findall(r"[\w.>=]+", advice)[2:] == wanted


def test_a_figure_over_rates_is_twenty_methods(tmp_path: Path) -> None:
    """The shell makes them from braces."""
    commands = page_commands(read("docs/paper_tables.md"), tmp_path)
    (figure,) = [arguments for _, *arguments in commands if "figure5a" in arguments]
    methods = make_parser(load_verbs()).parse_args(figure).optimizers
    assert len(set(methods)) == 20 and "autoprompt_sgd,lr=0.001" in methods


def test_a_shell_is_here_to_read_the_pages() -> None:
    """Where the checks run, nothing above is skipped."""
    if sys.platform != "win32" and os.path.exists("/bin/bash"):
        assert shutil.which("bash")
