// A new node follows the graph: it begins with the model whose words reach what the graph paints
// with. What does not fit, or has to be downloaded, is said on the node before it runs.

import { chain } from "./dom.js";
import { RANKER, isConnected, setWidget, widgetOf } from "./graph.js";
import { graphsIn, loadersFor, textsOf } from "./loaders.js";
import { notice } from "./notice.js";

const CALM = 200; // milliseconds; a drag of a node sends many events

/**
 * The nodes that follow the graph.
 * @param {() => any} root the graph with everything in it
 * @param {(body: object) => Promise<import("./notice.js").Advice | null>} ask the server
 */
export function createFollowing(root, ask) {
  /** @type {Map<any, (again?: boolean) => Promise<void>>} */
  const nodes = new Map();
  let timer = 0;

  function update() {
    const graphs = graphsIn(root());
    for (const [node, one] of nodes) {
      if (node.graph && !graphs.includes(node.graph)) nodes.delete(node);
      else void one();
    }
  }

  return {
    /** @param {any} node @param {(notice: HTMLElement | null) => void} show */
    add(node, show) {
      nodes.set(node, setUpFollowing(node, root, ask, show));
      chain(node, "onRemoved", () => nodes.delete(node));
      this.changed();
    },
    /** The graph may have changed. */
    changed() {
      clearTimeout(timer);
      timer = setTimeout(update, CALM);
    },
    /** A run has ended, which may have downloaded a model. */
    ran() {
      nodes.forEach((one) => void one(true));
    },
  };
}

/**
 * @param {any} node a new node with a widget `model`
 * @param {() => any} root the graph with everything in it
 * @param {(body: {loaders: string[][], model: string}) => Promise<import("./notice.js").Advice | null>} ask
 * @param {(notice: HTMLElement | null) => void} show
 * @returns {(again?: boolean) => Promise<void>} to call after the graph has changed; `again` asks
 *   even if nothing has, as after a run, which may have downloaded a model
 */
function setUpFollowing(node, root, ask, show) {
  const widget = widgetOf(node, "model");
  let follows = true; // until a user or a saved workflow has chosen a model
  let isChoosing = false;
  let ours = widget?.value; // the first one, or the one chosen here
  let asked = "";

  async function update(again = false) {
    if (!widget || !node.graph) return;
    if (isConnected(node, "model")) return show(null); // its value is that of another node
    if (again) asked = "";
    const model = String(widget.value);
    const body = { loaders: loadersFor(root(), node).map(textsOf), model };
    const hasClip = isConnected(node, "clip");
    const wiring = { hasClip, isRanked: isIntoRanker(node), isRead: !hasClip || readsModel(node) };
    const question = JSON.stringify([body, wiring]);
    if (question === asked) return;
    asked = question;
    const advice = await ask(body);
    if (question !== asked) return; // another one has been asked since
    if (!advice) asked = ""; // the next change asks again
    const isOurs = follows && widget.value === ours;
    if (isOurs && advice?.model && !advice.fits) return choose(advice.model);
    show(advice && notice(advice, { model, ...wiring }, (entry) => void choose(entry)));
  }

  function choose(entry) {
    isChoosing = true;
    ours = entry;
    setWidget(node, "model", entry);
    isChoosing = false;
    return update();
  }

  if (widget) {
    chain(widget, "callback", () => {
      follows = follows && isChoosing;
      if (!isChoosing) void update();
    });
  }
  chain(node, "onConfigure", () => {
    follows = false;
  });
  return update;
}

/** Whether a node with a text encoder of the graph needs its model still: to see pictures. */
function readsModel(node) {
  if (isConnected(node, "clip_vision")) return false;
  const pictures = (node.inputs ?? []).filter((input) => input.name.startsWith("image"));
  return pictures.some((input) => isConnected(node, input.name));
}

/** Whether a Prompt Ranker compares what a node learns. */
function isIntoRanker(node) {
  const targets = (node.outputs ?? []).flatMap((_, slot) => node.getOutputNodes?.(slot) ?? []);
  return targets.some((target) => target?.comfyClass === RANKER);
}
