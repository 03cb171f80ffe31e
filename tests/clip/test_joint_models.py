"""Several CLIPs as one model: names, searches, and results that are true for each of them, by
open_clip's own models."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from pez_core import ClipModel, SearchConfig, learn_prompt, load_model, make_targets
from pez_core.applications.attribution import alternatives, contributions
from pez_core.applications.mixing import concatenate
from pez_core.clip.model_names import find_model
from pez_core.clip.source import JointSource
from pez_core.errors import ModelError, WeightsError
from pez_core.text.edits import Edits, edited_text, split_words
from pez_core.text.vocabulary import make_mask
from tests.support.commands import Pez, run
from tests.support.folders import ARCH, OTHER, PICTURE, open_clip_folder, save
from tests.support.towers import open_clip_features, open_clip_model

SHORT = SearchConfig(steps=8, restarts=3, rounds=1, swaps=4, patience=None)
QUICK = ["--preset", "paper", "--steps", "5", "--restarts", "2"]
PICTURES = [PICTURE, Image.radial_gradient("L").convert("RGB")]


class Pair:
    """Two models in folders, and what open_clip gives for both."""

    def __init__(self, folder: Path) -> None:
        self.names = [str(folder / "first"), str(folder / "second")]
        self.models = [
            open_clip_folder(folder / "first", ARCH, 1),
            open_clip_folder(folder / "second", OTHER, 2),
        ]

    @property
    def name(self) -> str:
        return "+".join(self.names)

    def texts(self, texts: list[str]) -> list[Tensor]:
        return [open_clip_features(model, texts) for model in self.models]

    @torch.no_grad()
    def pictures(self, pictures: list[Image.Image]) -> list[Tensor]:
        seen = []
        for name, model in zip(self.names, self.models, strict=True):
            _, prepare = open_clip.create_model_from_pretrained(f"local-dir:{name}")
            batch = torch.stack([prepare(picture) for picture in pictures])
            seen.append(F.normalize(model.encode_image(batch), dim=-1))
        return seen


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return Pair(tmp_path_factory.mktemp("pair"))


@pytest.fixture(scope="module")
def joint(pair: Pair) -> ClipModel:
    return load_model(pair.name)


@pytest.mark.parametrize("weights", [(1, 1), (3, 1), (0.25, 0.5)])
def test_every_similarity_is_that_of_open_clips_models(
    pair: Pair, weights: tuple[float, float]
) -> None:
    """Of each by itself and of both, for the text that is returned; of pictures, and of a text to
    keep away from."""
    model = load_model("+".join(f"{n}@{w}" for n, w in zip(pair.names, weights, strict=True)))
    away = model.encode_texts(["a cat"])
    features = torch.cat([model.encode_pictures(PICTURES), away])
    targets = make_targets(features, [1.0, 2.0, -0.5])
    result = learn_prompt(model, targets, "a photo of {4}", config=SHORT)
    theirs = [
        torch.cat([p, t])
        for p, t in zip(pair.pictures(PICTURES), pair.texts(["a cat"]), strict=True)
    ]
    weigh = torch.tensor([1.0, 2.0, -0.5]) / 3.5
    for candidate in result.candidates:
        own = [
            (text @ goal.T @ weigh).item()
            for text, goal in zip(pair.texts([candidate.text]), theirs, strict=True)
        ]
        assert list(candidate.similarities) == pair.names
        assert list(candidate.similarities.values()) == pytest.approx(own, abs=2e-5)
        mean = sum(w * s for w, s in zip(weights, own, strict=True)) / sum(weights)
        assert candidate.similarity == pytest.approx(mean, abs=2e-5)


def test_a_joint_prompt_is_good_for_both(pair: Pair, joint: ClipModel) -> None:
    """After the same steps the worse of its two similarities is above that of either's own
    prompt."""
    worst: dict[str, list[float]] = {"first": [], "second": [], "joint": []}
    for seed, picture in enumerate(PICTURES * 2):
        goals = pair.pictures([picture])
        for name, model in zip(worst, [*map(load_model, pair.names), joint], strict=True):
            targets = make_targets(model.encode_pictures([picture]))
            text = learn_prompt(model, targets, "{4}", config=SHORT, seed=seed).best.text
            pairs = zip(pair.texts([text]), goals, strict=True)
            worst[name].append(min((f @ g.T).item() for f, g in pairs))
    for single in ("first", "second"):
        gains = [b - a for a, b in zip(worst[single], worst["joint"], strict=True)]
        assert min(gains) > 0 and sum(gains) / len(gains) > 0.1


def test_a_seed_decides_the_result_and_half_precision_scores_in_full(joint: ClipModel) -> None:
    targets = make_targets(joint.encode_pictures([PICTURE]))
    first, again = (learn_prompt(joint, targets, config=SHORT, seed=4) for _ in range(2))
    assert first.candidates == again.candidates
    half = learn_prompt(joint, targets, config=SHORT, seed=4, dtype=torch.bfloat16).best
    score = (joint.encode_texts([half.text]) @ targets.features.T).item()
    assert half.similarity == pytest.approx(score, abs=1e-6)


def test_contributions_are_the_mean_of_both(pair: Pair, joint: ClipModel) -> None:
    ids = joint.vocabulary.encode("a red car, parked")
    found = []
    for model in (joint, *map(load_model, pair.names)):
        found.append(contributions(model, ids, make_targets(model.encode_pictures([PICTURE]))))
    mean = [(a + b) / 2 for a, b in zip(found[1], found[2], strict=True)]
    assert found[0] == pytest.approx(mean, abs=2e-6) and max(map(abs, mean)) > 0.01


def test_alternatives_and_mixes_are_those_of_the_ensemble(joint: ClipModel) -> None:
    """Scored as texts, as with one encoder."""
    words = split_words("a red car", joint.vocabulary)
    targets = make_targets(joint.encode_pictures([PICTURE]))
    mask = make_mask(joint.vocabulary, "words")
    for place, found in enumerate(alternatives(joint, words, targets, mask)):
        assert found
        for candidate in found:
            text = edited_text(words, Edits(replaced={place: candidate.text}))
            score = (joint.encode_texts([text]) @ targets.features.T).item()
            assert candidate.similarity == pytest.approx(score, abs=1e-6)
    mixed = concatenate(joint, ["a red car", "two green dogs"], targets, 4)
    assert set(mixed.replace(",", "").split()) < {"a", "red", "car", "two", "green", "dogs"}


def test_the_words_known_are_those_that_all_know(pair: Pair) -> None:
    sources = [find_model(name) for name in ("demo", pair.names[0])]
    demo, other = sources
    assert JointSource("both", (demo, other), (1, 1)).words == demo.words
    other = type(demo)("other", demo.arch, demo.path, frozenset({"cat", "xylographer"}))
    assert JointSource("both", (demo, other), (1, 1)).words == {"cat"}
    assert find_model(pair.name).words is None


def test_sdxl_is_its_two_encoders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With equal weights, each from its own file."""
    monkeypatch.setenv("PEZ_MODELS", str(tmp_path))
    files = ["ViT-L-14-openai.safetensors", "ViT-bigG-14-laion2b_s39b_b160k.safetensors"]
    for name in files:
        (tmp_path / name).touch()
    source = find_model("sdxl")
    assert source.name == "sdxl" and [part.name for part in source.parts] == ["sdxl-l", "sdxl-g"]
    assert [part.path for part in source.parts] == [tmp_path / name for name in files]
    assert [part.arch.activation for part in source.parts] == ["quick_gelu", "gelu"]
    assert isinstance(source, JointSource) and source.weights == (0.5, 0.5)
    weighed = find_model("sdxl-g@3+demo@.5+ViT-L-14:openai")
    assert isinstance(weighed, JointSource)
    assert weighed.weights == pytest.approx([3 / 4.5, 0.5 / 4.5, 1 / 4.5])
    (tmp_path / files[1]).unlink()
    result = run("invert", "--text", "a dog", "--model", "sdxl", cache=tmp_path)
    assert result.returncode == 2
    assert re.search(r"sdxl-g is not on this machine.*ViT-bigG-14-laion2b_s39b", result.stderr)


def test_what_is_on_disk_keeps_its_name(tmp_path: Path) -> None:
    """A + in the name of a folder or a file, an @ also in a sum."""
    model = open_clip_folder(tmp_path / "a+b@2", ARCH, 3)
    plus = load_model(str(tmp_path / "a+b@2"))
    assert torch.allclose(plus.encode_texts(["dog"]), open_clip_features(model, ["dog"]), atol=1e-5)
    path = save(open_clip_model(OTHER), tmp_path / "c+d.safetensors")
    assert find_model(f"ViT-B-32:{path}").parts[0].path == path
    open_clip_folder(tmp_path / "e@2", OTHER, 4)
    source = find_model(f"{tmp_path / 'e@2'}+demo")
    assert isinstance(source, JointSource) and source.weights == (0.5, 0.5)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("demo+", r"'demo\+' has a \+ without a model"),
        ("demo+sd99", "unknown model 'sd99'"),
        ("demo+demo", r"demo\+demo names demo twice.*greater weight"),
        ("demo@0+sdxl-l", "weight of demo in .* must be positive, got 0"),
        ("sdxl+demo", r"sdxl stands for several models: name them, sdxl-l\+sdxl-g"),
        ("demo+ViT-L-14:nobody", "no weights 'nobody' for ViT-L-14"),
    ],
)
def test_an_invalid_sum_is_refused(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEZ_MODELS", str(tmp_path))
    (tmp_path / "ViT-L-14-openai.safetensors").touch()
    with pytest.raises(ModelError, match=message):
        load_model(name)


def test_a_missing_file_of_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"none\.safetensors: no such file"):
        load_model(f"demo+ViT-B-32:{tmp_path / 'none.safetensors'}")
    with pytest.raises(ModelError, match="several models.*'clip_l' belongs to a single file"):
        load_model("demo+ViT-B-32:x.safetensors", tower="clip_l")


@pytest.fixture
def picture(tmp_path: Path) -> str:
    PICTURE.save(tmp_path / "orange.png")
    return str(tmp_path / "orange.png")


def test_the_command_line_shows_both_similarities(
    pez: Pez, pair: Pair, picture: str, tmp_path: Path
) -> None:
    """In the JSON and on the line; for a single model neither."""
    command: Callable[..., Any] = lambda *a: pez("invert", picture, *QUICK, *a)  # noqa: E731
    code, out, err = command("--model", f"{pair.names[0]}@2+{pair.names[1]}", "--json")
    assert (code, err) == (0, "")
    result = json.loads(out)
    assert result["schema"] == 1 and result["model"] == f"{pair.names[0]}@2+{pair.names[1]}"
    best = result["candidates"][0]
    assert list(best) == ["prompt", "escaped", "similarity", "ids", "similarities"]
    first, second = (best["similarities"][name] for name in pair.names)
    assert best["similarity"] == pytest.approx((2 * first + second) / 3, abs=1e-6)
    code, out, _ = command("--model", pair.name)
    number, name = r"-?\d\.\d{4}", [re.escape(n) for n in pair.names]
    line = rf"{number}  \({name[0]} {number}, {name[1]} {number}\)  \S.*"
    assert code == 0 and all(re.fullmatch(line, each) for each in out.splitlines())
    code, out, _ = command("--model", "demo")
    assert code == 0 and re.fullmatch(rf"{number}  \S.*", out.splitlines()[0])
    assert "(" not in out.splitlines()[0][:10]


def test_pez_models_tells_how_to_join(pez: Pez) -> None:
    code, out, _ = pez("models")
    assert code == 0 and re.search(r"^sdxl +sdxl-l\+sdxl-g +both text encoders", out, re.M)
    assert "A+B" in out and "A@2+B" in out
