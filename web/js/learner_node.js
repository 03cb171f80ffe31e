// The panel of Image→Hard Prompt and Prompt Mixer, for a running and a finished search.

import { hint, learnedView, runningView } from "./chips.js";
import { chain, copyText } from "./dom.js";
import { widgetOf } from "./graph.js";
import { addPanel, fill, flash } from "./panel.js";
import { forTyping } from "./words.js";

const MIN_HEIGHT = 150;
const HINT = "Run the workflow. The prompt appears here while it is learned.";

/**
 * @param {any} node
 * @param {(nodeId: string, promptId: string) => Promise<boolean>} finish "Use best so far"
 * @param {() => void} changed notifies ComfyUI of a change to save
 * @returns {(kind: string, detail: any, nodeId: string) => void} handles the events of a run
 */
export function setUpLearner(node, finish, changed) {
  const panel = addPanel(node, MIN_HEIGHT);
  let running = null; // {view, promptId, last}: the view of a running search, its last progress

  const copy = async (text, from) => {
    const passedOn = node.properties?.pez?.passed_on ?? ""; // embeddings, escaped
    flash(from, (await copyText(forTyping(text) + passedOn)) ? "copied" : "not copied");
  };
  const showSaved = () => {
    const saved = node.properties?.pez;
    const isLearned = saved?.kind === "learned" && Array.isArray(saved.tokens);
    fill(panel, isLearned ? learnedView(saved, copy) : hint(HINT));
  };

  // The result is saved with the workflow, so the chips appear after a reload without a run.
  chain(node, "onConfigure", () => {
    if (!running) showSaved();
  });
  showSaved();
  // A search takes long, so the next run of the graph must not repeat it with another seed. A saved
  // workflow overwrites this value.
  const control = widgetOf(node, "control_after_generate");
  if (control) control.value = "fixed";

  const handlers = {
    progress(progress, nodeId) {
      // One prompt can run the node for each picture of a list. Then the steps restart.
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
  return (kind, detail, nodeId) => handlers[kind]?.(detail, nodeId);
}
