"""Subjects put into a style."""

from __future__ import annotations

import pytest

from pez_core.applications.style import APPLIED, apply_style
from pez_core.errors import TemplateError


def test_subjects_go_where_the_template_says() -> None:
    assert apply_style("neon glow", ["a fox", "two cats"]) == [
        "a fox in the style of neon glow", "two cats in the style of neon glow",
    ]  # fmt: skip
    assert apply_style("neon", ["a fox"], "{style}: {subject}, {subject}") == ["neon: a fox, a fox"]
    assert apply_style("neon", [], APPLIED) == []


def test_braces_of_texts_are_texts() -> None:
    template = "{subject} {x} {style}"
    assert apply_style("{subject} 1", ["{style} {0}"], template) == ["{style} {0} {x} {subject} 1"]


@pytest.mark.parametrize(
    ("template", "missing"),
    [
        ("a {subject}", r"has no \{style\}: "),
        ("{style}", r"has no \{subject\}: "),
        ("", r"no \{subject\} and no \{style\}"),
    ],
)
def test_a_template_needs_both_places(template: str, missing: str) -> None:
    with pytest.raises(TemplateError, match=missing):
        apply_style("neon", ["a fox"], template)
