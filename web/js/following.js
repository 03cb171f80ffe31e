// A new node follows the graph: it begins with the model whose words reach what the graph paints with.
// What does not fit, or has to be downloaded, is said on the node before it runs.

import { button, chain, el } from "./dom.js";
import { isConnected, setWidget, widgetOf } from "./graph.js";
import { t } from "./language.js";
import { loadersFor, textsOf } from "./loaders.js";

/**
 * @typedef {{painter: string | null, model: string | null, fits: boolean, here: boolean}} Advice the
 *   server's, on a chosen model: what the graph paints with ("" for an unnamed one), the model for it, whether the chosen one
 *   fits, and whether it needs no download
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
  let isMine = false;
  let asked = "";

  async function update() {
    if (!widget || !node.graph) return;
    const model = String(widget.value);
    const body = { loaders: loadersFor(root(), node).map(textsOf), model };
    const question = JSON.stringify([body, isConnected(node, "clip")]);
    if (question === asked) return;
    asked = question;
    const advice = await ask(body);
    if (question !== asked) return; // another one has been asked since
    if (follows && advice?.model && !advice.fits) return choose(advice.model);
    const isGiven = isConnected(node, "clip");
    show(advice && notice(advice, model, isGiven, (entry) => void choose(entry)));
  }

  function choose(entry) {
    isMine = true;
    setWidget(node, "model", entry);
    isMine = false;
    return update();
  }

  if (widget) {
    chain(widget, "callback", () => {
      follows = follows && isMine;
      if (!isMine) void update();
    });
  }
  chain(node, "onConfigure", () => {
    follows = false;
  });
  return update;
}

/**
 * @param {Advice} advice
 * @param {string} model the chosen one
 * @param {boolean} isGiven whether the text encoder is connected
 * @param {(entry: string) => void} choose
 * @returns {HTMLElement | null} null where there is nothing to say
 */
export function notice(advice, model, isGiven, choose) {
  const { painter, model: entry, fits, here } = advice;
  if (painter !== null && !entry) {
    return warning(
      t(
        "This graph paints with {painter}, which reads sentences: learned words do not steer it. Prompt Ranker chooses among sentences.",
        { painter: painter || t("a language model") },
      ),
    );
  }
  if (painter && !fits) {
    return warning(
      t("This graph paints with {painter}. Words learned for {model} may not reach it.", {
        painter,
        model,
      }),
      button(t("Choose {model}", { model: entry }), () => choose(entry)),
    );
  }
  if (here || isGiven) return null;
  const text = t("{model} is not on this machine yet: the first run downloads it.", { model });
  return el("div", { class: "pez-note pez-notice", text });
}

function warning(text, more = null) {
  return el("div", { class: "pez-warning pez-notice" }, [el("div", { text }), more]);
}
