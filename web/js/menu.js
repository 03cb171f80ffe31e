// "Find its hard prompt" in the context menu of every node that outputs or shows a picture.

import { LEARNER, imageSource, inputIndex } from "./graph.js";
import { t } from "./language.js";

export const label = () => t("Find its hard prompt");
const GAP = 60;
const LEAST_WIDTH = 240; // Nodes 2.0 draws every node at least this wide, whatever its size

/**
 * @param {any} node
 * @param {(type: string) => any} createNode
 * @returns {{content: string, callback: () => void}[]}
 */
export function menuItems(node, createNode) {
  if (!node || node.comfyClass === LEARNER || !imageSource(node)) return [];
  return [{ content: label(), callback: () => void addLearner(node, createNode) }];
}

/**
 * Adds an Image→Hard Prompt node to the right of a node, connected to its picture.
 * @param {any} node
 * @param {(type: string) => any} createNode
 * @returns {any | null} the new node
 */
export function addLearner(node, createNode) {
  const source = imageSource(node);
  const graph = node.graph;
  const learner = source && createNode(LEARNER);
  if (!learner || !graph) return null;
  graph.beforeChange?.(); // one step for undo
  learner.pos = freePlace(graph, node, learner);
  graph.add(learner);
  const index = inputIndex(learner, "image");
  if (source.node) source.node.connect(source.slot, learner, index);
  else graph.inputs?.[source.slot]?.connect?.(learner.inputs[index], learner);
  graph.afterChange?.();
  graph.setDirtyCanvas?.(true, true);
  return learner;
}

// The place to the right of the node, below the nodes that are already there.
function freePlace(graph, node, learner) {
  const x = node.pos[0] + Math.max(node.size[0], LEAST_WIDTH) + GAP;
  let y = node.pos[1];
  const others = graph.nodes ?? graph._nodes ?? [];
  for (let i = 0; i < others.length; i++) {
    const hit = others.find((other) => overlaps(other, x, y, learner.size));
    if (!hit) break;
    y = hit.pos[1] + hit.size[1] + GAP;
  }
  return [x, y];
}

function overlaps(other, x, y, size) {
  return (
    other.pos[0] < x + size[0] &&
    other.pos[0] + other.size[0] > x &&
    other.pos[1] < y + size[1] + GAP / 2 &&
    other.pos[1] + other.size[1] + GAP / 2 > y
  );
}
