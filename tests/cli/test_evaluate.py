"""`pez evaluate`, with the embedded model as guide, a small pipeline and the benchmarks' judge."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageOps
from safetensors.torch import load_file, save_file

from pez_core.cli.command import load_verbs
from pez_core.cli.painter_options import painter_of, painter_settings
from pez_core.cli.parser import make_parser
from pez_core.clip.model_names import PRESETS
from pez_core.evaluation.plan import judge_of
from pez_core.evaluation.sheet import CELL, cell_corner, sheet_size
from pez_core.painter.settings import PIPELINE, PainterSettings, own_settings
from tests.support.commands import Pez
from tests.support.evaluation_support import Command, contents
from tests.support.many_pictures import by_name, lines

pytest_plugins = ("tests.support.evaluation_fixtures",)


def test_pictures_go_in_and_a_table_comes_out(pez: Pez, evaluate: Command, tmp_path: Path) -> None:
    """Two optimizers and captions: every file is there, and they agree with each other."""
    captions = tmp_path / "human.csv"
    captions.write_text("picture,prompt\n1.png,a green square\nbelow/0.png,red\nno.png,x\n")
    command = evaluate("out", "--optimizers", "pez", "soft", "--captions", str(captions))
    code, out, err = pez(*command, "--images", "2")
    assert code == 0
    assert "1 caption of human names no picture" in err
    assert "1 caption of human is missing: that picture is left out for it" in err
    assert "8 of 8 prompts to do" in err and "8 of 8 pictures to do" in err
    records = lines(tmp_path / "out" / "results.jsonl")
    assert [(r["picture"], r["method"]) for r in records] == [
        ("1.png", "pez"), ("1.png", "soft"), ("1.png", "human"),
        ("below/0.png", "pez"), ("below/0.png", "soft"), ("below/0.png", "human"),
        ("below/2.png", "pez"), ("below/2.png", "soft"),
    ]  # fmt: skip
    for record in records:
        for number, path in enumerate(record["images"]):
            assert path == f"regenerated/{record['method']}/{record['picture']}.{number}.png"
            assert Image.open(tmp_path / "out" / path).size == (64, 64)
        same = [r["seeds"] for r in records if r["picture"] == record["picture"]]
        assert all(seeds == record["seeds"] for seeds in same)
    assert out == (tmp_path / "out" / "table.md").read_text(encoding="utf-8")
    table = json.loads((tmp_path / "out" / "table.json").read_text())
    for row, count in zip(table["rows"], (3, 3, 2), strict=True):
        scores = [r["judge"] for r in records if r["method"] == row["method"]]
        assert row["pictures"] == count and row["judge"][0] == pytest.approx(
            sum(scores) / len(scores)
        )
    sheet = Image.open(tmp_path / "out" / "sheet.png")
    assert sheet.size == sheet_size(3, 4)
    left, top = cell_corner(1, 0)
    original = Image.open(tmp_path / "pictures" / "below" / "0.png")
    shown = sheet.crop((left, top, left + CELL, top + CELL))
    assert shown.tobytes() == ImageOps.pad(original, (CELL, CELL), color="white").tobytes()


def test_a_method_may_have_a_bank_of_words_of_its_own(
    pez: Pez, evaluate: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One table has the paper's row with a keyword bank and the row without."""
    monkeypatch.chdir(tmp_path)
    bank = ["square", "circle", "red", "blue", "green", "yellow", "drawing"]
    (tmp_path / "bank.txt").write_text("\n".join(bank))
    method = "pez,allow=bank.txt"
    code, out, _ = pez(*evaluate("out", "--optimizers", "pez", method, "--sheet", "0"))
    assert code == 0 and f"| {method} | 3 |" in out
    for name, within in (("pez", False), (method, True)):
        lines = (tmp_path / "out" / "prompts" / f"{name}.jsonl").read_text().splitlines()
        prompts = [json.loads(line)["prompt"].split() for line in lines]
        assert all(set(words) <= set(bank) for words in prompts) is within
    (tmp_path / "bank.txt").write_text("square")
    code, _, err = pez(*evaluate("out", "--optimizers", "pez", method))
    assert code == 2 and "vocabulary_size 7, now 1" in err
    code, _, err = pez(*evaluate("new", "--optimizers", "pez,allow=lists/bank.txt"))
    assert code == 2 and "go to the folder of lists/bank.txt" in err
    code, _, err = pez(*evaluate("new", "--optimizers", "pez,allow=none.txt"))
    assert code == 2 and "cannot read the list none.txt" in err


def test_a_run_cut_anywhere_ends_like_one_without_a_cut(
    pez: Pez, evaluate: Command, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each file of lines in turn is cut in the middle of its second one, and what comes later is
    not there yet: the same command leaves the same content, and does only what was missing."""
    assert pez(*evaluate("calm"))[0] == 0
    calm = tmp_path / "calm"
    wanted = contents(calm)
    files = ("prompts/pez.jsonl", "regenerated.jsonl", "results.jsonl")
    for stage, name in enumerate(files):
        text = (calm / name).read_bytes()
        whole = text.splitlines(keepends=True)
        out = tmp_path / f"cut{stage}"
        shutil.copytree(calm, out)
        (out / name).write_bytes(whole[0] + whole[1][: len(whole[1]) // 2])
        for later in files[stage + 1 :]:
            (out / later).unlink()
        if stage == 1:
            shutil.rmtree(out / "regenerated" / "pez" / "below")
        code, _, err = pez(*evaluate(out.name))
        assert code == 0 and caplog.messages[-1].startswith(f"{out / name}: its last line was torn")
        counts = re.findall(r"pez: (\d) of 3 \w+ to do", err)
        assert counts == ["0"] * stage + ["2"] + ["3"] * (2 - stage)
        assert contents(out) == wanted
        assert (out / name).read_bytes().startswith(whole[0])
        assert pez(*evaluate(out.name))[0] == 0 and contents(out) == wanted


def test_what_cannot_be_done_is_a_line(pez: Pez, evaluate: Command, tmp_path: Path) -> None:
    """A file that is not a picture, and a pipeline of NaN: the rest goes on, with exit code 1. Once
    they are mended, --retry-errors does them alone."""
    pipeline, bad = tmp_path / "broken", tmp_path / "pictures" / "bad.png"
    bad.write_text("no picture")
    shutil.copytree(evaluate("x")[evaluate("x").index("--pipeline") + 1], pipeline)
    weights = pipeline / "vae" / "diffusion_pytorch_model.safetensors"
    good = weights.read_bytes()
    save_file({k: v * torch.nan for k, v in load_file(weights).items()}, weights)
    (tmp_path / "c.jsonl").write_text('{"picture": "bad.png", "prompt": "x"}\n')
    command = evaluate("out", "--captions", str(tmp_path / "c.jsonl"), "--pipeline", str(pipeline))
    code, out, err = pez(*command)
    assert code == 1 and "| pez | 0 (4 failed) | – | – | – |" in out
    assert "5 errors in" in err and "--retry-errors" in err
    records = {(r["picture"], r["method"]): r for r in lines(tmp_path / "out" / "results.jsonl")}
    for method in ("pez", "c"):
        told = records["bad.png", method]
        assert told["phase"] == "prompt" and "not a picture" in told["error"]
    told = records["1.png", "pez"]
    assert (
        told["phase"] == "picture" and "image 0: the pipeline returned values that" in told["error"]
    )
    assert not (tmp_path / "out" / "regenerated").exists()
    weights.write_bytes(good)
    code, _, err = pez(*command)
    assert code == 1 and "0 of 5 prompts" in err and "0 of 3 pictures" in err
    code, out, err = pez(*command, "--retry-errors")
    assert code == 1 and "2 of 5 prompts" in err and "3 of 3 pictures" in err
    assert "| pez | 3 (1 failed) |" in out
    Image.new("RGB", (30, 30), "red").save(bad)
    results = tmp_path / "out" / "results.jsonl"
    before = results.read_bytes()
    assert pez(*command, "--retry-errors")[0] == 0
    results.write_bytes(before)  # as if killed before the judge: what is mended is judged
    code, _, err = pez(*command)
    assert code == 0 and "2 of 5 results to do" in err
    assert pez(*command)[0] == 0
    # A painted picture that is damaged on the disk.
    results.unlink()
    (tmp_path / "out" / "regenerated" / "pez" / "1.png.0.png").write_bytes(good)
    code, out, _ = pez(*command)
    assert code == 1 and "| pez | 3 (1 failed) |" in out


def test_other_settings_are_refused_and_more_is_not(
    pez: Pez, evaluate: Command, tmp_path: Path
) -> None:
    """What decides a result has to stay; pictures and methods may come."""
    assert pez(*evaluate("out"))[0] == 0
    before = contents(tmp_path / "out")
    for options, message in (
        (["--guidance", "3"], "guidance 9.0, now 3.0"),
        (["--images", "2"], "images 1, now 2"),
        (["--size", "32"], "size null, now 32"),
        (["--seed", "1"], "seed 0, now 1"),
        (["--judge", "demo"], "judge .* now .demo"),
        (["--lr", "0.2"], r"pez.jsonl holds .*\(lr 0.1, now 0.2\)"),
    ):
        code, out, err = pez(*evaluate("out"), *options)
        assert (code, out) == (2, "") and re.search(f"{message}.*or another --out\n", err), err
    assert contents(tmp_path / "out") == before
    shutil.copy(tmp_path / "pictures" / "1.png", tmp_path / "pictures" / "new.png")
    code, _, err = pez(*evaluate("out"), "--optimizers", "pez", "autoprompt_sgd")
    assert code == 0 and "5 of 8 prompts" in err and "5 of 8 pictures" in err
    kept = set(before["results.jsonl"])
    assert kept < set(map(json.dumps, lines(tmp_path / "out" / "results.jsonl")))


def test_what_cannot_be_evaluated_is_one_line(
    pez: Pez, evaluate: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is learned, with exit code 2."""
    captions = tmp_path / "c.jsonl"
    captions.write_text('{"picture": "pictures/1.png", "prompt": "x"}')
    for options, message in (
        (["--judge", "demo"], "the judge demo is the guide demo that learns"),
        (["--optimizers"], "nothing to evaluate: name an optimizer, or give captions"),
        (["--optimizers", "adam"], "'adam' is not a method: write OPTIMIZER"),
        (["--optimizers", "pez,tokens=0"], "tokens must be between 1 and 75, got 0"),
        (["--optimizers", "pez,lr=-1"], "lr must be a positive number"),
        (["--captions", str(captions)], "no caption of .* 'pictures/1.png'.* '1.png'"),
        (["--pipeline", str(tmp_path)], "is not a pipeline: it has no model_index.json"),
        (["--scheduler", "Foo"], "no scheduler 'Foo': give --scheduler a class such as DDIM"),
        (["--images", "0"], "images must be a whole number of at least 1"),
        (["--out", str(tmp_path / "pictures" / "o")], "lies in .*give another --out"),
        (["--out", str(captions / "o")], "cannot make the folder .*; choose another folder, or"),
        (["--optimizer", "pez"], "unrecognized arguments: --optimizer"),
    ):
        code, out, err = pez(*evaluate("out"), *options)
        assert (code, out, err.count("\n")) == (2, "", 1) and re.search(message, err), err
    for missing in ("diffusers", "transformers"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, missing, None)  # as if it was not installed
            code, _, err = pez(*evaluate("out"))
            assert code == 2 and re.search("pip install 'diffusers", err), err
    assert not (tmp_path / "out" / "results.jsonl").read_bytes()
    assert not lines_of(tmp_path / "out" / "prompts")


def lines_of(folder: Path) -> bytes:
    """What stands in all files of a folder."""
    return b"".join(path.read_bytes() for path in folder.iterdir())


def test_the_help_says_what_a_script_needs(pez: Pez) -> None:
    """Exit codes, the paper's settings as defaults, and how to go on."""
    code, out, _ = pez("evaluate", "--help")
    assert code == 0 and out.startswith("usage: pez evaluate DIR --out FOLDER [option]...\n")
    for needed in ("exit codes", "--captions", "2302.03668", "default: 9;", "kill", "bigG"):
        assert needed in out, needed


def test_the_defaults_are_of_one_text_encoder(tmp_path: Path) -> None:
    """The guide is the CLIP that the default painter reads prompts with, and not the judge; so it
    is with the embedded model."""
    parser = make_parser(load_verbs())
    for words, guide, painter in (((), "sd2", PIPELINE), (("--model", "demo"), "demo", "demo")):
        asked = parser.parse_args(["evaluate", str(tmp_path), "--out", "x", *words])
        assert asked.model == guide
        assert painter_settings(asked, painter_of(asked.model) or PIPELINE) == own_settings(painter)
        assert judge_of(guide) not in (guide, PRESETS[guide].source)
    assert PRESETS["sd2"].source == "ViT-H-14:laion2b_s32b_b79k"
    assert (PainterSettings().guidance, PainterSettings().steps) == (9.0, 25)
    older = parser.parse_args(["evaluate", str(tmp_path), "--out", "x", "--pipeline", "a"])
    assert older.painter == "a"


def test_each_method_may_have_settings_of_its_own(
    pez: Pez, evaluate: Command, tmp_path: Path
) -> None:
    """Lengths and rates in one table, as in the paper's figures; the same method without them is
    another one, with the results that it would have alone."""
    methods = ["pez", "pez,tokens=3", "autoprompt_sgd,lr=2,steps=4"]
    assert pez(*evaluate("out"), "--optimizers", *methods)[0] == 0
    wanted = [("{2}", 0.1, 3), ("{3}", 0.1, 3), ("{2}", 2.0, 4)]
    for method, (template, rate, steps) in zip(methods, wanted, strict=True):
        for record in lines(tmp_path / "out" / "prompts" / f"{method}.jsonl"):
            asked = record["settings"]
            assert (asked["template"], asked["lr"], asked["steps"]) == (template, rate, steps)
    table = json.loads((tmp_path / "out" / "table.json").read_text())
    assert [(row["method"], row["pictures"]) for row in table["rows"]] == [(m, 3) for m in methods]
    assert table["methods"]["pez,tokens=3"]["template"] == "{3}"
    assert pez(*evaluate("alone", "--tokens", "3"))[0] == 0
    together = lines(tmp_path / "out" / "prompts" / "pez,tokens=3.jsonl")
    assert by_name(together) == by_name(lines(tmp_path / "alone" / "prompts" / "pez.jsonl"))


def test_a_concept_is_avoided_in_every_prompt(pez: Pez, evaluate: Command, tmp_path: Path) -> None:
    """As `invert-folder` does; and what was to be avoided decides the results."""
    assert pez(*evaluate("out"), "--avoid", "watermelon")[0] == 0
    for record in lines(tmp_path / "out" / "prompts" / "pez.jsonl"):
        assert record["settings"]["avoid"] == ["watermelon"]
        assert list(record["guard"]) == ["watermelon"]
    code, _, err = pez(*evaluate("out"), "--avoid", "dog")
    assert code == 2 and "avoid" in err
