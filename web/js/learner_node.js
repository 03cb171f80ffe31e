// The panel of Image→Hard Prompt and Prompt Mixer, for a running and a finished search.

import { learnedView, runningView } from "./chips.js";
import { copyText } from "./dom.js";
import { t } from "./language.js";
import { flash } from "./panel.js";
import { setUpRunPanel } from "./run_panel.js";
import { forTyping } from "./words.js";

const MIN_HEIGHT = 150;

/**
 * @param {any} node
 * @param {(nodeId: string, promptId: string) => Promise<boolean>} finish "Use best so far"
 * @param {() => void} changed notifies ComfyUI of a change to save
 * @returns {(kind: string, detail: any, nodeId: string) => void} handles the events of a run
 */
export function setUpLearner(node, finish, changed) {
  const copy = async (text, from) => {
    const passedOn = node.properties?.pez?.passed_on ?? ""; // embeddings, escaped
    flash(from, (await copyText(forTyping(text) + passedOn)) ? t("copied") : t("not copied"));
  };
  const views = {
    minHeight: MIN_HEIGHT,
    hint: () => t("Run the workflow. The prompt appears here while it is learned."),
    isResult: (saved) => saved?.kind === "learned" && Array.isArray(saved.tokens),
    result: (learned) => learnedView(learned, copy),
    running: runningView,
    soFar(last, reason) {
      const facts = { steps: last.step, stopped: reason, candidates: [], model: "", note: "" };
      return { ...last, ...facts, kind: "learned" };
    },
  };
  return setUpRunPanel(node, views, finish, changed);
}
