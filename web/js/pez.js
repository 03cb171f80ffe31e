// The entry point: adds the panels to the nodes and delivers the server's events to them.

import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { chain } from "./dom.js";
import { bringPictures } from "./examples.js";
import { createFollowing } from "./following.js";
import { LEARNER, MIXER, OURS, RANKER, VIEWER, imageSource, nodeById } from "./graph.js";
import { setUpLearner } from "./learner_node.js";
import { setLanguage } from "./language.js";
import { addLearner, menuItems } from "./menu.js";
import { setUpRanker } from "./ranker_node.js";
import { createRuns } from "./runs.js";
import { loadStyles } from "./styles.js";
import { setUpViewer } from "./viewer_node.js";
import { LEARNER_RULES, MIXER_RULES, RANKER_RULES, VIEWER_RULES, setUpVisible } from "./visible.js";

/** @type {WeakMap<object, (kind: string, detail: any, nodeId: string) => void>} */
const panels = new WeakMap();
const RULES = {
  [LEARNER]: LEARNER_RULES,
  [MIXER]: MIXER_RULES,
  [RANKER]: RANKER_RULES,
  [VIEWER]: VIEWER_RULES,
};
/** @type {Map<string, Record<string, any>>} the inputs of our nodes, as the server describes them */
const inputs = new Map();
const workflows = () => app.extensionManager?.workflow;

const runs = createRuns({
  current: () => ({
    graphId: String((app.rootGraph ?? app.graph)?.id ?? ""),
    workflow: workflows()?.activeWorkflow ?? null,
  }),
  isOpen: (workflow) => workflows()?.openWorkflows?.includes(workflow) ?? false,
  openCount: () => workflows()?.openWorkflows?.length ?? 1,
  deliver: (nodeId, kind, detail) => panels.get(nodeById(app, nodeId))?.(kind, detail, nodeId),
  storage: window.sessionStorage,
});

// ComfyUI detects changes after clicks, and a result comes without one.
const changed = () => workflows()?.activeWorkflow?.changeTracker?.checkState?.();

/** Asks the server. @returns {Promise<any>} its answer, or null */
async function post(route, body) {
  try {
    const reply = await api.fetchApi(route, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    return reply.ok ? await reply.json() : null;
  } catch {
    return null;
  }
}

/** Ends a running search with the best so far. @returns {Promise<boolean>} whether it worked */
async function finish(nodeId, promptId) {
  const answer = await post("/pez/finish", { node: nodeId, prompt_id: promptId });
  return answer?.finished === true;
}

const following = createFollowing(
  () => app.rootGraph ?? app.graph,
  (body) => post("/pez/painter", body),
);

// Every way to queue a prompt calls api.queuePrompt, whose reply has the prompt's id.
function watchQueue() {
  const queuePrompt = api.queuePrompt;
  api.queuePrompt = function (...args) {
    const graphId = args[1]?.workflow?.id ?? (app.rootGraph ?? app.graph)?.id;
    const owner = { graphId: String(graphId ?? ""), workflow: workflows()?.activeWorkflow ?? null };
    const reply = queuePrompt.apply(this, args);
    void runs.queued(Promise.resolve(reply), owner);
    return reply;
  };
}

function listen() {
  api.addEventListener("pez.progress", ({ detail }) => {
    if (detail?.schema === 1) void runs.event(detail.prompt_id, detail.node, "progress", detail);
  });
  // Not through the node's onExecuted: ComfyUI calls it on the node with this id in the visible
  // workflow, which may be another workflow.
  api.addEventListener("executed", ({ detail }) => {
    const results = (detail?.output?.pez ?? []).filter((result) => result?.schema === 1);
    const nodeId = detail?.display_node ?? detail?.node;
    if (results.length) void runs.event(detail.prompt_id, nodeId, "result", results);
  });
  api.addEventListener("execution_error", ({ detail }) => {
    if (!String(detail?.node_type).startsWith(OURS)) return;
    const message = String(detail.exception_message ?? "").trim();
    void runs.event(detail.prompt_id, detail.node_id, "failed", { message });
  });
  const ends = {
    execution_success: "done",
    execution_interrupted: "interrupted",
    execution_error: "error",
  };
  for (const [name, reason] of Object.entries(ends)) {
    api.addEventListener(name, ({ detail }) => {
      void runs.ended(detail?.prompt_id, reason);
      following.ran();
    });
  }
  api.addEventListener("reconnected", () => runs.lost());
  api.addEventListener("graphChanged", () => following.changed());
}

// Older front ends do not call getNodeMenuItems; they call getExtraMenuOptions of the node type.
const asksExtensions = () => typeof app.collectNodeMenuItems === "function";
const createNode = (type) => window.LiteGraph.createNode(type);

// In Nodes 2.0 of the front end 1.35.9, only the toolbox of the selection can be extended.
const FIND = "PEZ.FindHardPrompt";
function selectedNode() {
  return Object.values(app.canvas?.selected_nodes ?? {}).find((node) => imageSource(node));
}

const extension = {
  name: "pez.nodes",
  commands: [
    {
      id: FIND,
      label: "Find its hard prompt", // locales/ has it in other languages
      icon: "pi pi-search",
      function: () => {
        const node = selectedNode();
        if (node) addLearner(node, createNode);
      },
    },
  ],
  getSelectionToolboxCommands(item) {
    const isNode = Array.isArray(item?.outputs) && item.comfyClass !== LEARNER;
    return window.LiteGraph.vueNodesMode && isNode && imageSource(item) ? [FIND] : [];
  },
  init() {
    setLanguage(app.extensionManager?.setting?.get?.("Comfy.Locale"));
    loadStyles();
    watchQueue();
    listen();
  },
  beforeRegisterNodeDef(nodeType, nodeData) {
    const { name, input = {} } = nodeData ?? {};
    if (name in RULES) inputs.set(name, { ...input.required, ...input.optional });
    if (asksExtensions()) return;
    chain(nodeType.prototype, "getExtraMenuOptions", function (_canvas, options) {
      options.push(...menuItems(this, createNode));
    });
  },
  getNodeMenuItems(node) {
    return menuItems(node, createNode);
  },
  nodeCreated(node) {
    const rules = RULES[node.comfyClass];
    const optionsOf = (name) => inputs.get(node.comfyClass)?.[name]?.[1] ?? {};
    if (rules) setUpVisible(node, rules, optionsOf); // before the panel, which is the last widget
    if (node.comfyClass === LEARNER || node.comfyClass === MIXER) {
      panels.set(node, setUpLearner(node, finish, changed));
      following.add(node, (notice) => panels.get(node)?.("notice", notice, ""));
    }
    if (node.comfyClass === RANKER) panels.set(node, setUpRanker(node, finish, changed));
    if (node.comfyClass === VIEWER) panels.set(node, setUpViewer(node, app, changed));
  },
  // An example workflow gets its pictures before it is shown.
  async beforeConfigureGraph(graph) {
    await bringPictures(graph, (pictures) => post("/pez/pictures", { pictures }));
  },
  // At this call the old workflow is still the active one. The delay until the new one is active
  // depends on the version, so there are several calls. Repeated calls change nothing.
  afterConfigureGraph() {
    for (const delay of [0, 150, 600, 2000]) setTimeout(() => runs.shown(), delay);
  },
};

// If the pack is installed twice, ComfyUI loads both front ends. One of them serves all nodes.
if (app.extensions?.some((one) => one.name === extension.name)) {
  console.warn(`[PEZ] This pack is installed twice. ${import.meta.url} is not used.`);
} else {
  app.registerExtension(extension);
}
