// Which workflow a run belongs to. Node ids repeat from workflow to workflow, and ComfyUI's events
// name only the prompt: so every prompt queued from this tab is noted with its workflow, and what
// comes for a workflow that is not on the screen waits until it is.

const KEPT = 40; // runs remembered; far more than anyone queues from several workflows at a time
const STORE = "pez.runs";

/**
 * @typedef {{graphId: string, workflow: object | null}} Owner
 * @typedef {{owner: Owner | null, nodes: Map<string, Record<string, any>>, ended: string | null}} Run
 *
 * @param {object} options
 * @param {() => Owner} options.current the workflow on the screen
 * @param {(workflow: object) => boolean} options.isOpen whether a workflow's tab still exists
 * @param {() => number} options.openCount how many workflows are open
 * @param {(node: string, kind: string, detail: any) => void} options.deliver to a node on the screen
 * @param {Storage} [options.storage] survives a reload of the page, as the server's events do
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
    if (!run.owner) return openCount() <= 1; // queued by somebody else's code: only where no doubt is
    const { workflow, graphId } = run.owner;
    if (graphId !== now.graphId) return false;
    // Copies of one file have one graph id; then the tab decides, as long as it is open.
    return !workflow || !now.workflow || !isOpen(workflow) || workflow === now.workflow;
  }

  function runOf(promptId) {
    if (!runs.has(promptId)) runs.set(promptId, { owner: null, nodes: new Map(), ended: null });
    return runs.get(promptId);
  }

  function show(run, node) {
    const news = run.nodes.get(node) ?? {};
    for (const [kind, detail] of Object.entries(news)) deliver(node, kind, detail);
    if (run.ended) deliver(node, "ended", run.ended);
  }

  return {
    /** Notes the owner of a prompt that is being queued. @param {Promise<any>} answer */
    async queued(answer, owner) {
      const settled = answer.then(
        (reply) => {
          if (!reply?.prompt_id) return;
          const known = runOf(reply.prompt_id);
          known.owner = owner;
          while (runs.size > KEPT) runs.delete(runs.keys().next().value);
          write(storage, runs);
        },
        () => {}, // a refused prompt is reported by ComfyUI itself
      );
      queueing.add(settled);
      await settled;
      queueing.delete(settled);
    },

    /** An event of a node. The server may be faster than its own answer to /prompt: then we wait. */
    async event(promptId, node, kind, detail) {
      if (!runs.get(promptId)?.owner) await Promise.all(queueing);
      const run = runOf(promptId);
      // After a lost connection a search may still be running; after any other end none is.
      if (run.ended === "lost") run.ended = null;
      if (run.ended && kind === "progress") return;
      run.nodes.set(String(node), { [kind]: detail }); // a result takes the place of the progress
      if (isHere(run)) deliver(String(node), kind, detail);
    },

    /** The end of a prompt, however it came. */
    async ended(promptId, reason) {
      await Promise.all(queueing);
      const run = runs.get(promptId);
      if (!run) return;
      run.ended = reason;
      if (!isHere(run)) return;
      for (const node of run.nodes.keys()) deliver(node, "ended", reason);
      run.nodes.clear();
    },

    /** The connection to the server broke: what runs on, the next event tells. */
    lost() {
      for (const run of runs.values()) {
        if (run.ended || !run.nodes.size) continue;
        run.ended = "lost";
        if (isHere(run)) for (const node of run.nodes.keys()) deliver(node, "ended", "lost");
      }
    },

    /** A workflow came on the screen: what happened to it meanwhile, and what still runs. */
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
    return Array.isArray(list) ? list : [];
  } catch {
    return [];
  }
}

function write(storage, runs) {
  const owned = [...runs].filter(([, run]) => run.owner);
  try {
    storage?.setItem(STORE, JSON.stringify(owned.map(([id, run]) => [id, run.owner.graphId])));
  } catch {
    // Storage may be full or forbidden; then a reload in the middle of a run loses its chips only.
  }
}
