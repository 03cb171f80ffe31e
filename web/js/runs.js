// The workflow of each run. Several workflows use the same node ids, and ComfyUI's events contain
// only the prompt's id. So the workflow of every prompt queued from this tab is stored, and events
// for a workflow that is not visible wait until it is.

const KEPT = 40; // runs stored; far more than users queue from several workflows at once
const STORE = "pez.runs";
const NO_ID = "00000000-0000-0000-0000-000000000000"; // of a cleared graph, until it is loaded again

/**
 * @typedef {{graphId: string, workflow: object | null}} Owner
 * @typedef {{owner: Owner | null, nodes: Map<string, Record<string, any>>, ended: string | null}} Run
 *
 * @param {object} options
 * @param {() => Owner} options.current the visible workflow
 * @param {(workflow: object) => boolean} options.isOpen whether a workflow's tab still exists
 * @param {() => number} options.openCount how many workflows are open
 * @param {(node: string, kind: string, detail: any) => void} options.deliver to a visible node
 * @param {Storage} [options.storage] keeps the runs over a reload of the page
 */
export function createRuns({ current, isOpen, openCount, deliver, storage }) {
  /** @type {Map<string, Run>} */
  const runs = new Map();
  const queueing = new Set();
  for (const [id, graphId] of read(storage)) {
    runs.set(id, { owner: { graphId, workflow: null }, nodes: new Map(), ended: null });
  }

  function isHere(run) {
    const now = current();
    if (!run.owner) return openCount() <= 1; // other code queued it: unclear if several are open
    const { workflow, graphId } = run.owner;
    if (graphId === NO_ID && workflow) return workflow === now.workflow;
    if (graphId !== now.graphId) return false;
    // Copies of a file have the same graph id. Then the tab decides, if it is still open.
    return !workflow || !now.workflow || !isOpen(workflow) || workflow === now.workflow;
  }

  function runOf(promptId) {
    if (!runs.has(promptId)) runs.set(promptId, { owner: null, nodes: new Map(), ended: null });
    return runs.get(promptId);
  }

  function show(run, node) {
    const events = run.nodes.get(node) ?? {};
    for (const [kind, detail] of Object.entries(events)) deliver(node, kind, detail);
    if (run.ended) deliver(node, "ended", run.ended);
  }

  return {
    /** Stores the owner of a prompt. @param {Promise<any>} reply of the server to its queueing */
    async queued(reply, owner) {
      const settled = reply.then(
        (content) => {
          if (!content?.prompt_id) return;
          const known = runOf(content.prompt_id);
          known.owner = owner;
          while (runs.size > KEPT) runs.delete(runs.keys().next().value);
          write(storage, runs);
        },
        () => {}, // ComfyUI reports a rejected prompt
      );
      queueing.add(settled);
      await settled;
      queueing.delete(settled);
    },

    /** An event of a node. If it comes before the reply to /prompt, it waits for the reply. */
    async event(promptId, node, kind, detail) {
      if (!runs.get(promptId)?.owner) await Promise.all(queueing);
      const run = runOf(promptId);
      // After a lost connection a search may still run. After any other end it does not.
      if (run.ended === "lost") run.ended = null;
      if (run.ended && kind === "progress") return;
      run.nodes.set(String(node), { [kind]: detail }); // a result replaces the progress
      if (isHere(run)) deliver(String(node), kind, detail);
    },

    /** The end of a prompt, for any reason. */
    async ended(promptId, reason) {
      await Promise.all(queueing);
      const run = runs.get(promptId);
      if (!run) return;
      run.ended = reason;
      if (!isHere(run)) return;
      for (const node of run.nodes.keys()) deliver(node, "ended", reason);
      run.nodes.clear();
    },

    /** The connection to the server is lost. The next event of a run shows that it continues. */
    lost() {
      for (const run of runs.values()) {
        if (run.ended || !run.nodes.size) continue;
        run.ended = "lost";
        if (isHere(run)) for (const node of run.nodes.keys()) deliver(node, "ended", "lost");
      }
    },

    /** A workflow becomes visible: delivers the events that it missed. */
    shown() {
      for (const run of runs.values()) {
        if (!isHere(run)) continue;
        for (const node of run.nodes.keys()) show(run, node);
        if (run.ended) run.nodes.clear();
      }
    },
  };
}

function read(storage) {
  try {
    const list = JSON.parse(storage?.getItem(STORE) ?? "[]");
    return Array.isArray(list) ? list.filter(Array.isArray) : [];
  } catch {
    return [];
  }
}

function write(storage, runs) {
  const owned = [...runs].filter(([, run]) => run.owner);
  try {
    storage?.setItem(STORE, JSON.stringify(owned.map(([id, run]) => [id, run.owner.graphId])));
  } catch {
    // The storage may be full or forbidden. Then a reload during a run loses only its chips.
  }
}
