// The panel of the Prompt Ranker, for a running and a finished ranking.

import { hint } from "./chips.js";
import { chain, copyText } from "./dom.js";
import { widgetOf } from "./graph.js";
import { addPanel, fill, flash } from "./panel.js";
import { rankingView, runningRanking } from "./ranking.js";

const MIN_HEIGHT = 190;
const HINT = "Run the workflow. The prompts appear here in order, best first.";

/**
 * @param {any} node
 * @param {(nodeId: string, promptId: string) => Promise<boolean>} finish "Use best so far"
 * @param {() => void} changed notifies ComfyUI of a change to save
 * @returns {(kind: string, detail: any, nodeId: string) => void} handles the events of a run
 */
export function setUpRanker(node, finish, changed) {
  const panel = addPanel(node, MIN_HEIGHT);
  let running = null; // {view, promptId, last}

  // The prompts are as they are typed, so they are copied as they are.
  const copy = async (text, from) => flash(from, (await copyText(text)) ? "copied" : "not copied");
  const showSaved = () => {
    const saved = node.properties?.pez;
    const isRanking = saved?.kind === "ranking" && Array.isArray(saved.ranking);
    fill(panel, isRanking ? rankingView(saved, copy) : hint(HINT));
  };
  chain(node, "onConfigure", () => {
    if (!running) showSaved();
  });
  showSaved();
  const control = widgetOf(node, "control_after_generate");
  if (control) control.value = "fixed"; // so that the next run of the graph does not repeat it

  const handlers = {
    progress(found, nodeId) {
      if (running?.promptId !== found.prompt_id || found.step < running.last.step) {
        const view = runningRanking(() => finish(nodeId, found.prompt_id), copy);
        running = { view, promptId: found.prompt_id, last: found };
        fill(panel, view.element);
      }
      running.last = found;
      running.view.update(found);
    },
    result(found) {
      running = null;
      node.properties ??= {};
      node.properties.pez = found;
      showSaved();
      changed();
    },
    ended(reason) {
      if (!running) return;
      const { last } = running;
      running = null;
      fill(panel, rankingView({ ...last, stopped: reason }, copy));
    },
  };
  return (kind, detail, nodeId) => handlers[kind]?.(detail, nodeId);
}
