// Nodes, widgets and links in all supported versions of ComfyUI's front end. Node ids are numbers
// in older versions and strings in newer ones, so ids are never compared with ===.

/** The ids of the pack's nodes. They never change. */
export const OURS = "PEZ_";
export const LEARNER = "PEZ_ImageToHardPrompt";
export const MIXER = "PEZ_PromptMixer";
export const RANKER = "PEZ_PromptRanker";
export const VIEWER = "PEZ_TokenViewer";

/**
 * The node of an execution id such as "3:2": node 2 inside subgraph node 3.
 * @param {any} app
 * @param {string | number} id
 * @returns {any | null}
 */
export function nodeById(app, id) {
  let graph = app.rootGraph ?? app.graph;
  let node = null;
  for (const part of String(id).split(":")) {
    if (!graph) return null;
    node = graph.getNodeById(Number(part)) ?? graph.getNodeById(part) ?? null;
    graph = node?.subgraph;
  }
  return node;
}

/** @param {any} node @param {string} name @returns {any | undefined} */
export function widgetOf(node, name) {
  return node.widgets?.find((widget) => widget.name === name);
}

/** Sets the value of a widget and calls its callback, as if a user had typed it. */
export function setWidget(node, name, value) {
  const widget = widgetOf(node, name);
  if (!widget) return;
  widget.value = value;
  widget.callback?.(value);
  node.setDirtyCanvas?.(true, true);
}

/** Runs `fn` as one step of ComfyUI's undo. */
export function oneStep(app, fn) {
  app.canvas?.emitBeforeChange?.();
  try {
    fn();
  } finally {
    app.canvas?.emitAfterChange?.();
  }
}

/**
 * Hides or shows a widget. It stays in `widgets`, so it is still saved and sent. The classic canvas
 * reads `hidden`, Nodes 2.0 `options.hidden`.
 */
export function hideWidget(widget, isHidden) {
  widget.hidden = isHidden;
  widget.options ??= {};
  widget.options.hidden = isHidden;
}

// Entries of the drop-down of models that have other names now.
const RENAMED = {
  "Flux / SD 3 (CLIP-L)": "Flux.1 (CLIP-L: weak)",
  "demo (offline)": "demo (clip-art only)",
};

/** Gives the model that an earlier version has saved its present name. */
export function renameModel(node) {
  const widget = widgetOf(node, "model");
  if (widget && widget.value in RENAMED) widget.value = RENAMED[widget.value];
}

/**
 * Draws the widgets again. Nodes 2.0 of the front end 1.35.9 does not watch `hidden`: it reads the
 * widgets again after a change of one of their slots. Front ends without that event watch `hidden`
 * and ignore it.
 */
export function redrawWidgets(node) {
  const INPUT = 1;
  const detail = { nodeId: node.id, slotType: INPUT, slotIndex: 0, connected: false };
  node.graph?.trigger?.("node:slot-links:changed", detail);
}

/** @param {any} node @param {string} name @returns {number} the input's index, or -1 */
export function inputIndex(node, name) {
  return node.inputs?.findIndex((input) => input.name === name) ?? -1;
}

/** @param {any} node @param {string} name @returns {boolean} */
export function isConnected(node, name) {
  return linkInto(node, inputIndex(node, name)) !== null;
}

/**
 * The Image→Hard Prompt node that a viewer's prompt comes from, in the same graph.
 * @param {any} viewer
 * @returns {any | null}
 */
export function learnerBefore(viewer) {
  for (const name of ["tokens", "prompt"]) {
    let node = originOf(viewer, inputIndex(viewer, name));
    // A chain of reroutes is short. The bound stops at a ring of them.
    for (let i = 0; i < 50 && node?.type === "Reroute"; i++) node = originOf(node, 0);
    if (node?.comfyClass === LEARNER) return node;
  }
  return null;
}

function originOf(node, index) {
  const link = linkInto(node, index);
  return link ? (node.graph.getNodeById(link.origin_id) ?? null) : null;
}

// A node has no graph while it is created and after it is removed. Then `getInputLink` throws.
function linkInto(node, index) {
  return index >= 0 && node.graph ? (node.getInputLink?.(index) ?? null) : null;
}

/**
 * The output that a node's picture comes from: its own, or else the one connected to its input, as
 * for PreviewImage and SaveImage, which have no output.
 * @param {any} node
 * @returns {{node: any, slot: number} | null}  node: null for an input of the enclosing subgraph
 */
export function imageSource(node) {
  const own = node.outputs?.findIndex(isImage) ?? -1;
  if (own >= 0) return { node, slot: own };
  for (const [index, input] of (node.inputs ?? []).entries()) {
    const link = isImage(input) ? linkInto(node, index) : null;
    if (!link) continue;
    return { node: originOf(node, index), slot: Number(link.origin_slot) };
  }
  return null;
}

function isImage(slot) {
  return String(slot.type).toUpperCase().split(",").includes("IMAGE");
}
