// Prompt Mixer: the weight of a prompt or picture shows only while that input is connected.

import { chain } from "./dom.js";
import { hideWidget, isConnected } from "./graph.js";

const WEIGHT = "_weight";

/** @param {any} node a Prompt Mixer that was just made */
export function setUpMixer(node) {
  chain(node, "onConnectionsChange", () => updateWeights(node));
  chain(node, "onConfigure", (saved) => {
    updateWeights(node);
    // A saved size is that of the visible widgets already, whatever was added on the way here.
    if (saved?.size) node.setSize([saved.size[0], Math.max(saved.size[1], node.computeSize()[1])]);
  });
  updateWeights(node);
}

/**
 * All weights stay in `widgets` and are always saved and sent; only what is drawn changes.
 * @param {any} node
 */
export function updateWeights(node) {
  const before = node.computeSize()[1];
  for (const widget of node.widgets ?? []) {
    if (!widget.name?.endsWith(WEIGHT)) continue;
    // A weight that is itself fed by a link stays: a hidden one could not be unplugged.
    const input = widget.name.slice(0, -WEIGHT.length);
    hideWidget(widget, !isConnected(node, input) && !isConnected(node, widget.name));
  }
  const after = node.computeSize()[1];
  if (after !== before)
    node.setSize([node.size[0], Math.max(after, node.size[1] + after - before)]);
  node.setDirtyCanvas?.(true, true);
  redrawWidgets(node);
}

// Nodes 2.0 of the front end 1.35.9 does not watch `hidden`; it reads the widgets anew when a slot
// that belongs to one changes. Front ends without that event ignore it, they watch by themselves.
function redrawWidgets(node) {
  const INPUT = 1;
  const news = { nodeId: node.id, slotType: INPUT, slotIndex: 0, connected: false };
  node.graph?.trigger?.("node:slot-links:changed", news);
}
