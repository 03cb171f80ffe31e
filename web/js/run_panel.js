// The panel of a node that runs for a while: a hint, the running view, and the saved result.

import { hint } from "./chips.js";
import { chain } from "./dom.js";
import { widgetOf } from "./graph.js";
import { addPanel, fill } from "./panel.js";

/**
 * @param {any} node
 * @param {object} views
 * @param {number} views.minHeight in the node's own pixels
 * @param {string} views.hint shown before the first run
 * @param {(saved: any) => boolean} views.isResult whether a saved value is a result of this node
 * @param {(result: any) => HTMLElement} views.result
 * @param {(finish: () => Promise<boolean>) => {element: HTMLElement, update(progress: any): void}} views.running
 * @param {(last: any, reason: string) => HTMLElement} views.ended a run without a result
 * @param {(nodeId: string, promptId: string) => Promise<boolean>} finish "Use best so far"
 * @param {() => void} changed notifies ComfyUI of a change to save
 * @returns {(kind: string, detail: any, nodeId: string) => void} handles the events of a run
 */
export function setUpRunPanel(node, views, finish, changed) {
  const panel = addPanel(node, views.minHeight);
  let running = null; // {view, promptId, last}: the running view, its last progress

  const showSaved = () => {
    const saved = node.properties?.pez;
    fill(panel, views.isResult(saved) ? views.result(saved) : hint(views.hint));
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
      // One prompt can run the node for each picture of a list. Then the steps restart.
      const isNew = running?.promptId !== progress.prompt_id || progress.step < running.last.step;
      if (isNew) {
        const view = views.running(() => finish(nodeId, progress.prompt_id));
        running = { view, promptId: progress.prompt_id, last: progress };
        fill(panel, view.element);
      }
      running.last = progress;
      running.view.update(progress);
    },
    result(result) {
      running = null;
      node.properties ??= {};
      node.properties.pez = result;
      showSaved();
      changed();
    },
    ended(reason) {
      if (!running) return;
      const { last } = running;
      running = null;
      fill(panel, views.ended(last, reason));
    },
  };
  return (kind, detail, nodeId) => handlers[kind]?.(detail, nodeId);
}
