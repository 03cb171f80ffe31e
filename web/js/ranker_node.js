// The panel of the Prompt Ranker, for a running and a finished ranking.

import { copyText } from "./dom.js";
import { t } from "./language.js";
import { flash } from "./panel.js";
import { rankingView, runningRanking } from "./ranking.js";
import { setUpRunPanel } from "./run_panel.js";

const MIN_HEIGHT = 190;

/**
 * @param {any} node
 * @param {(nodeId: string, promptId: string) => Promise<boolean>} finish "Use best so far"
 * @param {() => void} changed notifies ComfyUI of a change to save
 * @returns {(kind: string, detail: any, nodeId: string) => void} handles the events of a run
 */
export function setUpRanker(node, finish, changed) {
  // The prompts are as they are typed, so they are copied as they are.
  const copy = async (text, from) =>
    flash(from, (await copyText(text)) ? t("copied") : t("not copied"));
  const views = {
    minHeight: MIN_HEIGHT,
    hint: () => t("Run the workflow. The prompts appear here in order, best first."),
    isResult: (saved) => saved?.kind === "ranking" && Array.isArray(saved.ranking),
    result: (found) => rankingView(found, copy),
    running: (onFinish) => runningRanking(onFinish, copy),
    soFar: (last, reason) => ({ ...last, stopped: reason }),
  };
  return setUpRunPanel(node, views, finish, changed);
}
