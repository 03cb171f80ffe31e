// Nodes, widgets and links across the versions of ComfyUI's front end. Node ids are numbers in
// older ones and strings in newer ones, so ids are never compared by ===.

/** What the pack's nodes are called; frozen. */
export const LEARNER = "PEZ_ImageToHardPrompt";
export const MIXER = "PEZ_PromptMixer";
export const VIEWER = "PEZ_TokenViewer";

/**
 * The node an execution id such as "3:2" (node 2 inside subgraph node 3) stands for.
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

/** Sets a widget as if a person had: its callback hears of it. */
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
 * Hides or shows a widget. It stays in `widgets`, so it is still saved and sent.
 * Both keys, as the classic canvas reads the one and Nodes 2.0 the other.
 */
export function hideWidget(widget, isHidden) {
  widget.hidden = isHidden;
  widget.options ??= {};
  widget.options.hidden = isHidden;
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
 * The Image→Hard Prompt node a viewer's prompt comes from, in the same graph.
 * @param {any} viewer
 * @returns {any | null}
 */
export function learnerBefore(viewer) {
  for (const name of ["tokens", "prompt"]) {
    let node = originOf(viewer, inputIndex(viewer, name));
    // A chain of reroutes is short; the bound is against one that was tied into a ring.
    for (let i = 0; i < 50 && node?.type === "Reroute"; i++) node = originOf(node, 0);
    if (node?.comfyClass === LEARNER) return node;
  }
  return null;
}

function originOf(node, index) {
  const link = linkInto(node, index);
  return link ? (node.graph.getNodeById(link.origin_id) ?? null) : null;
}

// A node that is just being made, or was removed, has no graph; asking it for a link then throws.
function linkInto(node, index) {
  return index >= 0 && node.graph ? (node.getInputLink?.(index) ?? null) : null;
}

/**
 * Where a node's picture comes from: its own output, or else the output that feeds it (as at
 * PreviewImage and SaveImage, which have none).
 * @param {any} node
 * @returns {{node: any, slot: number} | null}  node null: an input of the surrounding subgraph
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
