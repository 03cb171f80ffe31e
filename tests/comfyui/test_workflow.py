"""Saved workflows as prompts of the API: the rules, on a small /object_info."""

from __future__ import annotations

from typing import Any

import pytest

from tests.comfyui.workflow import WorkflowError, to_prompt, widget_names

INFO: dict[str, Any] = {
    "Loader": {
        # As LoadImage: the front end adds a button with a value of its own, at the end.
        "input": {"required": {"image": [["a.png", "b.png"], {"image_upload": True}]}},
    },
    "Learner": {
        "input": {
            "optional": {"mask": ["MASK"], "note": ["STRING", {"default": ""}]},
            "required": {
                "seed": ["INT", {"control_after_generate": True}],
                "image": ["IMAGE"],
                "model": ["COMBO", {"options": ["x", "y"]}],
                "text": ["STRING", {"forceInput": True}],
                "rate": ["FLOAT", {}],
            },
            "hidden": {"unique_id": "UNIQUE_ID"},
        },
        "input_order": {
            "required": ["image", "model", "seed", "text", "rate"], "optional": ["mask", "note"],
        },
    },
    "Sampler": {"input": {"required": {"seed": ["INT"], "steps": ["INT", {}]}}},
}  # fmt: skip


def learner(**changes: Any) -> dict[str, Any]:
    inputs = [{"name": "image", "type": "IMAGE", "link": 1}, {"name": "mask", "link": None}]
    values = ["y", 7, "randomize", 0.5, "hello"]
    node = {"id": 2, "type": "Learner", "mode": 0, "inputs": inputs, "widgets_values": values}
    return {**node, **changes}


LOADER = {"id": 1, "type": "Loader", "widgets_values": ["b.png", "image"]}
LINK = [1, 1, 0, 2, 0, "IMAGE"]


def workflow(*nodes: dict[str, Any], links: list[Any]) -> dict[str, Any]:
    return {"version": 0.4, "nodes": list(nodes), "links": links}


def test_widgets_are_named_in_the_order_of_the_front_end() -> None:
    assert list(widget_names(INFO["Learner"])) == ["model", "seed", None, "rate", "note"]


def test_a_seed_has_its_control_by_name() -> None:
    assert list(widget_names(INFO["Sampler"])) == ["seed", None, "steps"]


def test_values_and_links_become_inputs() -> None:
    note = {"id": 9, "type": "MarkdownNote", "widgets_values": ["read me"]}
    assert to_prompt(workflow(LOADER, learner(), note, links=[LINK]), INFO) == {
        "1": {"class_type": "Loader", "inputs": {"image": "b.png"}},
        "2": {
            "class_type": "Learner",
            "inputs": {
                "image": ["1", 0], "model": "y", "seed": 7, "rate": 0.5, "note": "hello",
            },
        },
    }  # fmt: skip


def test_links_may_be_objects() -> None:
    link = {"id": 1, "origin_id": 1, "origin_slot": 0, "target_id": 2, "target_slot": 0}
    assert to_prompt(workflow(LOADER, learner(), links=[link]), INFO) == to_prompt(
        workflow(LOADER, learner(), links=[LINK]), INFO
    )


def test_reroutes_are_followed_and_a_linked_widget_keeps_its_place() -> None:
    reroute = {"id": 3, "type": "Reroute", "inputs": [{"name": "", "link": 1}]}
    text = {"id": 4, "type": "Learner", "widgets_values": ["x", 0, "fixed", 0.0, ""]}
    inputs = [
        {"name": "image", "link": 2},
        {"name": "rate", "widget": {"name": "rate"}, "link": 3},
    ]
    links = [[1, 1, 0, 3, 0, "IMAGE"], [2, 3, 0, 2, 0, "IMAGE"], [3, 4, 1, 2, 1, "FLOAT"]]
    prompt = to_prompt(workflow(LOADER, reroute, text, learner(inputs=inputs), links=links), INFO)
    assert prompt["2"]["inputs"]["image"] == ["1", 0]
    assert prompt["2"]["inputs"]["rate"] == ["4", 1]
    assert prompt["2"]["inputs"]["note"] == "hello"


def test_a_primitive_leaves_the_widgets_own_value() -> None:
    primitive = {"id": 5, "type": "PrimitiveNode", "widgets_values": [0.5, "fixed"]}
    inputs = [{"name": "rate", "widget": {"name": "rate"}, "link": 1}]
    graph = workflow(primitive, learner(inputs=inputs), links=[[1, 5, 0, 2, 0, "FLOAT"]])
    assert to_prompt(graph, INFO)["2"]["inputs"]["rate"] == 0.5


def test_values_by_name_are_taken_as_they_are() -> None:
    graph = workflow(learner(inputs=[], widgets_values={"seed": 3, "ui": 1}), links=[])
    assert to_prompt(graph, INFO)["2"]["inputs"] == {"seed": 3}


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (learner(mode=4), "muted or bypassed"),
        (learner(type="Missing"), "unknown type Missing"),
        (learner(widgets_values=["y", 7]), "2 widget values, its 5 widgets are model, seed, rate"),
    ],
)
def test_what_is_not_known_is_refused(node: dict[str, Any], message: str) -> None:
    with pytest.raises(WorkflowError, match=message):
        to_prompt(workflow(LOADER, node, links=[LINK]), INFO)


def test_subgraphs_are_refused() -> None:
    graph = {**workflow(links=[]), "definitions": {"subgraphs": [{"id": "x"}]}}
    with pytest.raises(WorkflowError, match="subgraphs"):
        to_prompt(graph, INFO)
