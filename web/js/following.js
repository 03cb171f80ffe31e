// A new node follows the graph: it begins with the model whose words reach what the graph paints
// with. What does not fit, or has to be downloaded, is said on the node before it runs.

import { button, chain, el } from "./dom.js";
import { RANKER, isConnected, setWidget, widgetOf } from "./graph.js";
import { t } from "./language.js";
import { loadersFor, textsOf } from "./loaders.js";

/**
 * @typedef {{painter: string | null, model: string | null, fits: boolean, here: boolean}} Advice
 *   the server's, on a chosen model: what the graph paints with (null: not known, "": without a
 *   name), the model for it, whether the chosen one fits, and whether it needs no download
 */

/**
 * @param {any} node a new node with a widget `model`
 * @param {() => any} root the graph with everything in it
 * @param {(body: {loaders: string[][], model: string}) => Promise<Advice | null>} ask
 * @param {(notice: HTMLElement | null) => void} show
 * @returns {() => Promise<void>} to call after the graph has changed
 */
export function setUpFollowing(node, root, ask, show) {
  const widget = widgetOf(node, "model");
  let follows = true; // until a user or a saved workflow has chosen a model
  let isChoosing = false;
  let asked = "";

  async function update() {
    if (!widget || !node.graph) return;
    const model = String(widget.value);
    const body = { loaders: loadersFor(root(), node).map(textsOf), model };
    const [hasClip, isRanked] = [isConnected(node, "clip"), isIntoRanker(node)];
    const question = JSON.stringify([body, hasClip, isRanked]);
    if (question === asked) return;
    asked = question;
    const advice = await ask(body);
    if (question !== asked) return; // another one has been asked since
    if (follows && advice?.model && !advice.fits) return choose(advice.model);
    const state = { model, hasClip, isRanked };
    show(advice && notice(advice, state, (entry) => void choose(entry)));
  }

  function choose(entry) {
    isChoosing = true;
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

/** Whether a Prompt Ranker compares what a node learns. */
function isIntoRanker(node) {
  const targets = (node.outputs ?? []).flatMap((_, slot) => node.getOutputNodes?.(slot) ?? []);
  return targets.some((target) => target?.comfyClass === RANKER);
}

/**
 * @param {Advice} advice
 * @param {{model: string, hasClip: boolean, isRanked: boolean}} state the chosen model, and whether
 *   the text encoder and a Prompt Ranker are connected
 * @param {(entry: string) => void} choose
 * @returns {HTMLElement | null} null where there is nothing to say
 */
export function notice(advice, { model, hasClip, isRanked }, choose) {
  const { painter, model: entry, fits, here } = advice;
  if (painter !== null && !fits) {
    if (entry) {
      const press = () => choose(entry);
      return warning(unfit(painter, model), button(t("Choose {model}", { model: entry }), press));
    }
    if (!isRanked) return warning(readsSentences(painter));
  }
  if (here) return null;
  const text = hasClip
    ? t("The first run downloads the image encoder for {model}, unless a file on this machine has it.", { model })
    : t("The CLIP for {model} is not on this machine yet: the first run downloads it.", { model });
  return el("div", { class: "pez-note pez-notice", text });
}

const unfit = (painter, model) =>
  painter
    ? t("This graph paints with {painter}. Words learned for {model} may not reach it.", { painter, model })
    : t("Words learned for {model} may not reach what this graph paints with.", { model });

const readsSentences = (painter) =>
  painter
    ? t("This graph paints with {painter}, which reads sentences: learned words do not steer it. Prompt Ranker chooses among sentences.", { painter })
    : t("What this graph paints with reads sentences: learned words do not steer it. Prompt Ranker chooses among sentences.");

function warning(text, more = null) {
  return el("div", { class: "pez-warning pez-notice" }, [el("div", { text }), more]);
}
