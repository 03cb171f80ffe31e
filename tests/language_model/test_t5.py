"""Texts transferred to a model with an encoder and a decoder, against its plain forward."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from pez_core.errors import ModelError
from pez_core.language_model import (
    LanguageModel,
    learn_text_prompt,
    load_language_model,
    score_text,
)
from tests.support.language_support import VERBALIZERS, reviews
from training.instructed import AFTER

pytest_plugins = ("tests.support.language_fixtures",)


@pytest.fixture(scope="module")
def t5(instructed_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    """A T5 that nobody has trained, whose tokenizer ends every text with a mark, as T5's does."""
    from tokenizers.processors import TemplateProcessing
    from transformers import AutoTokenizer, T5Config, T5ForConditionalGeneration

    folder = tmp_path_factory.mktemp("t5")
    tokenizer = AutoTokenizer.from_pretrained(instructed_folder)
    end = tokenizer.convert_ids_to_tokens(0)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"$A {end}", special_tokens=[(end, 0)]
    )
    tokenizer.save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = T5Config(
            vocab_size=len(tokenizer), d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4,
            pad_token_id=0, decoder_start_token_id=0, initializer_factor=3.0,
        )  # fmt: skip
        T5ForConditionalGeneration(config).save_pretrained(folder)
    # In float64, where padding and no padding come to the same.
    return load_language_model(str(folder), dtype=torch.float64)


def test_its_answer_is_the_first_token_of_its_decoder(t5: LanguageModel) -> None:
    """Example by example without padding, whatever the lengths."""
    examples = reviews("food", 30, seed=4)
    answers = [t5.tokenizer(f" {w}", add_special_tokens=False)["input_ids"] for w in ("yes", "no")]
    assert [len(ids) for ids in answers] == [1, 1]
    for prompt in ("", "meal love"):
        losses, right = [], 0
        for example in examples:
            ids = t5.tokenizer(f"{prompt} {example.text}{AFTER}".lstrip())["input_ids"]
            assert ids[-1] == 0  # the mark of the end
            with torch.no_grad():
                given, start = torch.tensor([ids]), torch.tensor([[0]])
                logits = t5.network(input_ids=given, decoder_input_ids=start).logits[0, 0]
            said = logits[torch.tensor(answers)[:, 0]]
            number = list(VERBALIZERS).index(example.label)
            losses.append(-F.log_softmax(said, dim=0)[number].item())
            right += int(said.argmax() == number)
        found = score_text(t5, prompt, examples, VERBALIZERS, after=AFTER)
        assert found.loss == pytest.approx(sum(losses) / 30, abs=1e-11)
        assert found.accuracy == right / 30 and max(losses) - min(losses) > 0.01


def test_nothing_is_learned_on_it(t5: LanguageModel) -> None:
    with pytest.raises(
        ModelError, match="an encoder and a decoder, .* learn on a causal model, and transfer"
    ):
        learn_text_prompt(t5, reviews("food", 8, seed=1), VERBALIZERS)
