// The panel of a node that runs for a while: a hint, what it is doing, the running view, the result,
// and an error where the run failed.

import { hint } from "./chips.js";
import { chain, el } from "./dom.js";
import { widgetOf } from "./graph.js";
import { said, t } from "./language.js";
import { addPanel, fill } from "./panel.js";
import { pager, saveResults } from "./results.js";

const DOING = {
  download: ({ model, percent }) => t("Downloading {model}: {percent} %", { model, percent }),
  look: () => t("Looking at the picture…"),
  load: ({ model }) => t("Loading {model}…", { model }),
  guard: () => t("Measuring what to keep away from…"),
  paint: () => t("Asking the model you paint with…"),
};

/**
 * @param {any} node
 * @param {object} views
 * @param {number} views.minHeight in the node's own pixels
 * @param {() => string} views.hint shown before the first run
 * @param {(saved: any) => boolean} views.isResult whether a saved value is a result of this node
 * @param {(result: any) => HTMLElement} views.result
 * @param {(finish: () => Promise<boolean>) => {element: HTMLElement, update(progress: any): void}} views.running
 * @param {(last: any, reason: string) => any} views.soFar the result of a run that did not end
 * @param {(nodeId: string, promptId: string) => Promise<boolean>} finish "Use best so far"
 * @param {() => void} changed notifies ComfyUI of a change to save
 * @returns {(kind: string, detail: any, nodeId: string) => void} handles the events of a run
 */
export function setUpRunPanel(node, views, finish, changed) {
  const panel = addPanel(node, views.minHeight);
  let running = null; // {promptId, view, last}: the running view and its last progress, if any yet
  let problem = ""; // why the last run failed
  let notice = null; // what to know before a run

  const showSaved = () => {
    const saved = node.properties?.pez;
    const view = views.isResult(saved) ? views.result(saved) : problem ? null : hint(views.hint());
    fill(panel, withProblem(problem, [notice, pager(node, page), view]));
  };
  const page = () => {
    showSaved();
    changed();
  };
  const save = (results) => {
    saveResults(node, results);
    page(); // a change to save, so that undo brings it back
  };
  const end = (reason) => {
    const last = running?.last;
    running = null;
    if (last) save([views.soFar(last, reason)]);
    else showSaved();
  };

  // The result is saved with the workflow, so it appears after a reload without a run.
  chain(node, "onConfigure", () => {
    if (!running) showSaved();
  });
  showSaved();
  // A run takes long, so the next run of the graph must not repeat it with another seed. A saved
  // workflow overwrites this value.
  const control = widgetOf(node, "control_after_generate");
  if (control) control.value = "fixed";

  const handlers = {
    progress(progress, nodeId) {
      problem = "";
      const isSame = running?.promptId === progress.prompt_id;
      if (progress.doing) {
        const last = isSame ? running.last : null;
        running = { promptId: progress.prompt_id, view: null, last };
        fill(panel, hint(DOING[progress.doing]?.(progress) ?? t("Working…")));
        return;
      }
      // One prompt can run the node for each picture of a list. Then the steps restart.
      if (!isSame || !running.view || progress.step < running.last.step) {
        const view = views.running(() => finish(nodeId, progress.prompt_id));
        running = { view, promptId: progress.prompt_id, last: progress };
        fill(panel, view.element);
      }
      running.last = progress;
      running.view.update(progress);
    },
    result(results) {
      running = null;
      problem = "";
      save(results);
    },
    failed({ message }) {
      problem = message;
      end("error");
    },
    ended(reason) {
      if (running) end(reason);
    },
    notice(element) {
      notice = element;
      if (!running) showSaved();
    },
  };
  return (kind, detail, nodeId) => handlers[kind]?.(detail, nodeId);
}

/** @param {string} problem "" without one @param {(HTMLElement | null)[]} rest @returns {HTMLElement} */
export function withProblem(problem, rest) {
  const error = problem && el("div", { class: "pez-error", role: "alert", text: said(problem) });
  return el("div", {}, [error, ...rest]);
}
