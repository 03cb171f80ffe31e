"""Turns a workflow as the front end saves it into a prompt of the API, as the front end does when
"Run" is pressed.

What a saved node lacks are the names of its widget values: they follow from the order of its
inputs in `/object_info`. But: no subgraphs, no muted or bypassed nodes, no dynamic prompts
(`{a|b}`); the first two are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tests.comfyui.client import Prompt

WIDGET_TYPES = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
NO_NODES = ("Note", "MarkdownNote", "PrimitiveNode", "Reroute")  # of the front end alone
SEEDS = ("seed", "noise_seed")  # get the widget "control after generate" by their name alone


class WorkflowError(ValueError):
    """A workflow that this module cannot turn into a prompt."""


def to_prompt(workflow: dict[str, Any], object_info: dict[str, Any]) -> Prompt:
    """The prompt of a workflow. Raises WorkflowError for what it does not know."""
    if workflow.get("definitions", {}).get("subgraphs"):
        raise WorkflowError("the workflow has subgraphs")
    nodes = {str(node["id"]): node for node in workflow["nodes"]}
    links = {link: source for link, source in _links(workflow)}
    prompt = {}
    for key, node in nodes.items():
        if node["type"] in NO_NODES:
            continue
        if node.get("mode", 0) != 0:
            raise WorkflowError(f"node {key} ({node['type']}) is muted or bypassed")
        if node["type"] not in object_info:
            raise WorkflowError(f"node {key} is of the unknown type {node['type']}")
        inputs = _widget_values(node, object_info[node["type"]])
        inputs |= _linked(node, nodes, links)
        prompt[key] = {"class_type": node["type"], "inputs": inputs}
    return prompt


def _links(workflow: dict[str, Any]) -> Iterator[tuple[Any, tuple[str, int]]]:
    """Every link's id with the node and slot it comes from, in both of the formats."""
    for link in workflow["links"]:
        if isinstance(link, dict):
            yield link["id"], (str(link["origin_id"]), link["origin_slot"])
        else:
            yield link[0], (str(link[1]), link[2])


def _linked(
    node: dict[str, Any], nodes: dict[str, Any], links: dict[Any, tuple[str, int]]
) -> dict[str, list[Any]]:
    """The inputs that come through a link, followed through reroutes. A PrimitiveNode is passed
    over: the widget it sets has the same value."""
    found: dict[str, list[Any]] = {}
    for entry in node.get("inputs") or []:
        link = entry.get("link")
        while link is not None:
            origin, slot = links[link]
            kind = nodes[origin]["type"]
            if kind == "Reroute":
                link = nodes[origin]["inputs"][0].get("link")
                continue
            if kind != "PrimitiveNode":
                found[entry["name"]] = [origin, slot]
            break
    return found


def _widget_values(node: dict[str, Any], info: dict[str, Any]) -> dict[str, Any]:
    """The values of the widgets by name. A linked widget keeps its place among them."""
    values = node.get("widgets_values") or []
    names = list(widget_names(info))
    if isinstance(values, dict):
        return {name: values[name] for name in filter(None, names) if name in values}
    if len(values) < len(names):
        raise WorkflowError(
            f"node {node['id']} ({node['type']}) has {len(values)} widget values, "
            f"its {len(names)} widgets are {', '.join(filter(None, names))}"
        )
    pairs = zip(names, values, strict=False)  # a button's value may be left at the end
    return {name: value for name, value in pairs if name is not None}


def widget_names(info: dict[str, Any]) -> Iterator[str | None]:
    """The inputs that are widgets, in order; None where "control after generate" stands."""
    for group in ("required", "optional"):
        inputs = info["input"].get(group) or {}
        for name in _order(info, group, inputs):
            kind, options = inputs[name][0], (inputs[name][1:] or [{}])[0]
            if not (isinstance(kind, list) or kind in WIDGET_TYPES):
                continue
            if options.get("forceInput"):
                continue
            yield name
            if options.get("control_after_generate", kind == "INT" and name in SEEDS):
                yield None


def _order(info: dict[str, Any], group: str, inputs: dict[str, Any]) -> Sequence[str]:
    return info.get("input_order", {}).get(group) or list(inputs)
