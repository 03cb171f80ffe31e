// Image→Hard Prompt and Prompt Mixer: the panel of the running and of the finished search.

import { hint, learnedView, runningView } from "./chips.js";
import { chain, copyText } from "./dom.js";
import { widgetOf } from "./graph.js";
import { addPanel, fill, flash } from "./panel.js";
import { forTyping } from "./words.js";

const MIN_HEIGHT = 150;
const HINT = "Run the workflow: the prompt appears here while it is learned.";

/**
 * @param {any} node
 * @param {(nodeId: string, promptId: string) => Promise<boolean>} finish "Use best so far"
 * @param {() => void} changed tells ComfyUI that there is something new to save
 * @returns {(kind: string, detail: any, nodeId: string) => void} takes the news of a run
 */
export function setUpLearner(node, finish, changed) {
  const panel = addPanel(node, MIN_HEIGHT);
  let running = null; // {view, last}: the view of the search that runs and its last progress

  const copy = async (text, from) => {
    flash(from, (await copyText(forTyping(text))) ? "copied" : "not copied");
  };
  const showSaved = () => {
    const saved = node.properties?.pez;
    const isLearned = saved?.kind === "learned" && Array.isArray(saved.tokens);
    fill(panel, isLearned ? learnedView(saved, copy) : hint(HINT));
  };

  // By name and with the workflow: after a reload the chips are there before any run.
  chain(node, "onConfigure", () => {
    if (!running) showSaved();
  });
  showSaved();
  // A search takes its time: what it found is not to be thrown away by the next run of the graph.
  // A saved workflow brings its own value.
  const control = widgetOf(node, "control_after_generate");
  if (control) control.value = "fixed";

  const take = {
    progress(progress, nodeId) {
      // One prompt may run the node for each picture of a list: then the steps begin anew.
      const isNew = running?.promptId !== progress.prompt_id || progress.step < running.last.step;
      if (isNew) {
        const view = runningView(() => finish(nodeId, progress.prompt_id));
        running = { view, promptId: progress.prompt_id, last: progress };
        fill(panel, view.element);
      }
      running.last = progress;
      running.view.update(progress);
    },
    result(learned) {
      running = null;
      node.properties ??= {};
      node.properties.pez = learned;
      showSaved();
      changed();
    },
    ended(reason) {
      if (!running) return;
      const { last } = running;
      running = null;
      const facts = { steps: last.step, stopped: reason, candidates: [], model: "", note: "" };
      fill(panel, learnedView({ ...last, ...facts }, copy));
    },
  };
  return (kind, detail, nodeId) => take[kind]?.(detail, nodeId);
}
