// The panel of the Prompt Ranker, for a running and a finished ranking.

import { copyText } from "./dom.js";
import { flash } from "./panel.js";
import { rankingView, runningRanking } from "./ranking.js";
import { setUpRunPanel } from "./run_panel.js";

const MIN_HEIGHT = 190;
const HINT = "Run the workflow. The prompts appear here in order, best first.";

/**
 * @param {any} node
 * @param {(nodeId: string, promptId: string) => Promise<boolean>} finish "Use best so far"
 * @param {() => void} changed notifies ComfyUI of a change to save
 * @returns {(kind: string, detail: any, nodeId: string) => void} handles the events of a run
 */
export function setUpRanker(node, finish, changed) {
  // The prompts are as they are typed, so they are copied as they are.
  const copy = async (text, from) => flash(from, (await copyText(text)) ? "copied" : "not copied");
  const views = {
    minHeight: MIN_HEIGHT,
    hint: HINT,
    isResult: (saved) => saved?.kind === "ranking" && Array.isArray(saved.ranking),
    result: (found) => rankingView(found, copy),
    running: (onFinish) => runningRanking(onFinish, copy),
    ended: (last, reason) => rankingView({ ...last, stopped: reason }, copy),
  };
  return setUpRunPanel(node, views, finish, changed);
}
