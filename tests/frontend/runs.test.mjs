// Which workflow a run belongs to: tabs with the same node ids, reloads, answers that come late.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createRuns } from "../../web/js/runs.js";

const A = { path: "a" };
const B = { path: "b" };

function setUp(storage) {
  const shown = [];
  const state = { now: { graphId: "ga", workflow: A }, open: [A, B], shown, storage };
  state.runs = createRuns({
    current: () => state.now,
    isOpen: (workflow) => state.open.includes(workflow),
    openCount: () => state.open.length,
    deliver: (node, kind, detail) => shown.push([node, kind, detail]),
    storage,
  });
  state.queue = (id, owner = state.now) =>
    state.runs.queued(Promise.resolve({ prompt_id: id }), owner);
  return state;
}

const memory = () => {
  const values = new Map();
  return { getItem: (k) => values.get(k) ?? null, setItem: (k, v) => values.set(k, v) };
};

test("news of the workflow on the screen goes to its node", async () => {
  const s = setUp();
  await s.queue("p1");
  await s.runs.event("p1", 3, "progress", "x");
  await s.runs.ended("p1", "interrupted");
  assert.deepEqual(s.shown, [
    ["3", "progress", "x"],
    ["3", "ended", "interrupted"],
  ]);
});

test("news of another workflow waits until it is shown, and comes once", async () => {
  const s = setUp();
  await s.queue("p1");
  s.now = { graphId: "gb", workflow: B };
  await s.runs.event("p1", "3", "progress", "x");
  await s.runs.event("p1", "3", "result", "y");
  await s.runs.ended("p1", "done");
  s.runs.shown();
  assert.deepEqual(s.shown, []);
  s.now = { graphId: "ga", workflow: A };
  s.runs.shown();
  s.runs.shown();
  assert.deepEqual(s.shown, [
    ["3", "result", "y"],
    ["3", "ended", "done"],
  ]);
});

test("a cleared graph has another id when its tab is shown again", async () => {
  const s = setUp();
  const cleared = "00000000-0000-0000-0000-000000000000";
  await s.queue("p1", { graphId: cleared, workflow: A });
  s.now = { graphId: cleared, workflow: B };
  await s.runs.event("p1", "3", "result", "y");
  assert.deepEqual(s.shown, []);
  s.now = { graphId: "new", workflow: A };
  s.runs.shown();
  assert.deepEqual(s.shown, [["3", "result", "y"]]);
});

test("while the graph changes before the active workflow does, nothing goes astray", async () => {
  const s = setUp();
  await s.queue("p1");
  s.now = { graphId: "gb", workflow: A };
  await s.runs.event("p1", "3", "progress", "x");
  assert.deepEqual(s.shown, []);
});

test("two tabs of one file have one graph id: the tab decides while it is open", async () => {
  const s = setUp();
  await s.queue("p1");
  s.now = { graphId: "ga", workflow: B };
  await s.runs.event("p1", "3", "progress", "x");
  assert.deepEqual(s.shown, []);
  s.open = [B]; // closed and opened again as another object
  await s.runs.event("p1", "3", "progress", "y");
  assert.deepEqual(s.shown, [["3", "progress", "y"]]);
});

test("events that are faster than the answer to the queueing", async () => {
  const s = setUp();
  let answer;
  const queued = s.runs.queued(new Promise((resolve) => (answer = resolve)), s.now);
  const events = [s.runs.event("p1", "3", "progress", 1), s.runs.event("p1", "3", "result", 2)];
  events.push(s.runs.ended("p1", "done"));
  assert.deepEqual(s.shown, []);
  answer({ prompt_id: "p1" });
  await Promise.all([queued, ...events]);
  assert.deepEqual(s.shown, [
    ["3", "progress", 1],
    ["3", "result", 2],
    ["3", "ended", "done"],
  ]);
});

test("a prompt nobody here queued shows only where there is one workflow", async () => {
  const s = setUp();
  await s.runs.event("foreign", "3", "result", "x");
  assert.deepEqual(s.shown, []);
  s.open = [A];
  await s.runs.event("foreign", "3", "result", "y");
  assert.deepEqual(s.shown, [["3", "result", "y"]]);
});

test("a refused prompt blocks nothing", async () => {
  const s = setUp();
  await s.runs.queued(Promise.reject(new Error("400")), s.now);
  await s.queue("p2");
  await s.runs.event("p2", "3", "progress", 1);
  assert.equal(s.shown.length, 1);
});

test("after a reload of the page the runs are still known by their graph", async () => {
  const storage = memory();
  await setUp(storage).queue("p1");
  const s = setUp(storage);
  await s.runs.event("p1", "3", "progress", "x");
  s.now = { graphId: "gb", workflow: B };
  await s.runs.event("p1", "3", "progress", "y");
  assert.deepEqual(s.shown, [["3", "progress", "x"]]);
  assert.ok(createRuns({ storage: { getItem: () => "{" } }), "a damaged store is an empty one");
});

test("no progress after the end, but after a lost connection", async () => {
  const s = setUp();
  await s.queue("p1");
  await s.runs.event("p1", "3", "progress", 1);
  s.runs.lost();
  await s.runs.event("p1", "3", "progress", 2);
  await s.runs.ended("p1", "error");
  await s.runs.event("p1", "3", "progress", 3);
  const kinds = s.shown.map(([, kind, detail]) => `${kind} ${detail}`);
  assert.deepEqual(kinds, ["progress 1", "ended lost", "progress 2", "ended error"]);
});
