// Prompt Mixer: the weight of a prompt or picture is visible only while its input is connected.

import { chain } from "./dom.js";
import { hideWidget, isConnected } from "./graph.js";

const WEIGHT = "_weight";

/** @param {any} node a new Prompt Mixer */
export function setUpMixer(node) {
  chain(node, "onConnectionsChange", () => updateWeights(node));
  chain(node, "onConfigure", (saved) => {
    updateWeights(node);
    // The saved size is already that of the visible widgets.
    if (saved?.size) node.setSize([saved.size[0], Math.max(saved.size[1], node.computeSize()[1])]);
  });
  updateWeights(node);
}

/**
 * Shows or hides the weights. They stay in `widgets`, so they are always saved and sent.
 * @param {any} node
 */
export function updateWeights(node) {
  const before = node.computeSize()[1];
  for (const widget of node.widgets ?? []) {
    if (!widget.name?.endsWith(WEIGHT)) continue;
    // A weight with a link of its own stays visible, so that a user can disconnect it.
    const input = widget.name.slice(0, -WEIGHT.length);
    hideWidget(widget, !isConnected(node, input) && !isConnected(node, widget.name));
  }
  const after = node.computeSize()[1];
  if (after !== before)
    node.setSize([node.size[0], Math.max(after, node.size[1] + after - before)]);
  node.setDirtyCanvas?.(true, true);
  redrawWidgets(node);
}

// Nodes 2.0 of the front end 1.35.9 does not watch `hidden`. It reads the widgets again after a
// change of one of their slots. Front ends without that event watch `hidden` and ignore it.
function redrawWidgets(node) {
  const INPUT = 1;
  const detail = { nodeId: node.id, slotType: INPUT, slotIndex: 0, connected: false };
  node.graph?.trigger?.("node:slot-links:changed", detail);
}
