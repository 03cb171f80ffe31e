// Which loaders of text encoders a node's words go to, in graphs of every shape.
import assert from "node:assert/strict";
import { test } from "node:test";
import { loadersFor, textsOf } from "../../web/js/loaders.js";

const CLIP = ["CLIP"];
const TYPES = {
  Checkpoint: [[], ["MODEL", "CLIP", "VAE"]],
  Lora: [["MODEL", "CLIP"], ["MODEL", "CLIP"]],
  Reroute: [["*"], ["*"]],
  Encode: [["CLIP", "STRING"], ["CONDITIONING"]],
  Sampler: [["MODEL", "CONDITIONING"], ["LATENT"]],
  Decode: [["LATENT", "VAE"], ["IMAGE"]],
  Picture: [[], ["IMAGE"]],
  Learner: [["IMAGE", "CLIP"], ["STRING"]],
  Mixer: [["STRING", "CLIP"], ["STRING"]],
};

/** A graph as LiteGraph has it: nodes by name, and links such as "a.1 > b.0". */
function graphOf(nodes, links, { inputs = 0, outputs = [] } = {}) {
  const graph = { nodes: [], links: new Map(), inputs: Array(inputs).fill({}), outputs: [] };
  graph.getNodeById = (id) => graph.nodes.find((node) => String(node.id) === String(id));
  for (const [name, type] of Object.entries(nodes)) {
    const [ins, outs] = typeof type === "string" ? TYPES[type] : [type.ins, type.outs];
    const node = {
      id: graph.nodes.length,
      name,
      type: typeof type === "string" ? type : "subgraph",
      graph,
      subgraph: type.subgraph,
      inputs: ins.map((kind) => ({ type: kind })),
      outputs: outs.map((kind) => ({ type: kind })),
    };
    graph.nodes.push(node);
  }
  const named = (name) => graph.nodes.find((node) => node.name === name);
  for (const link of links) {
    const [from, to] = link.split(" > ").map((end) => end.split("."));
    const id = graph.links.size + 1;
    const target = named(to[0]);
    const isOutside = from[0] === "outside";
    graph.links.set(id, {
      id,
      origin_id: isOutside ? -10 : named(from[0]).id,
      origin_slot: Number(from[1]),
      target_id: target ? target.id : -20,
      target_slot: Number(to[1]),
    });
    if (!target) graph.outputs[Number(to[1])] = { linkIds: [id] };
  }
  assert.equal(graph.outputs.length, outputs.length);
  return graph;
}

const found = (graph, name = "learn", root = graph) =>
  loadersFor(root, graph.nodes.find((node) => node.name === name)).map((node) => node.name);

const PAINTING = {
  other: "Checkpoint",
  load: "Checkpoint",
  lora: "Lora",
  way: "Reroute",
  positive: "Encode",
  sampler: "Sampler",
  decode: "Decode",
  learn: "Learner",
};
const PAINTED = [
  "load.1 > lora.1",
  "lora.1 > way.0",
  "way.0 > positive.0",
  "positive.0 > sampler.1",
  "sampler.0 > decode.0",
  "load.2 > decode.1",
];

test("its own clip, through a LoRA and a reroute", () => {
  assert.deepEqual(found(graphOf(PAINTING, [...PAINTED, "way.0 > learn.1"])), ["load"]);
});

test("what reads its prompt, also behind a mixer", () => {
  const direct = [...PAINTED, "learn.0 > positive.1"];
  assert.deepEqual(found(graphOf(PAINTING, direct)), ["load"]);
  const mixed = [...PAINTED, "learn.0 > mix.0", "mix.0 > positive.1"];
  assert.deepEqual(found(graphOf({ ...PAINTING, mix: "Mixer" }, mixed)), ["load"]);
});

test("what its picture was painted with", () => {
  assert.deepEqual(found(graphOf(PAINTING, [...PAINTED, "decode.0 > learn.0"])), ["load"]);
});

test("else all loaders; muted and bypassed ones are none", () => {
  const graph = graphOf({ ...PAINTING, picture: "Picture" }, [...PAINTED, "picture.0 > learn.0"]);
  assert.deepEqual(found(graph), ["other", "load"]);
  graph.nodes[0].mode = 4;
  assert.deepEqual(found(graph), ["load"]);
  graph.nodes[0].mode = 2;
  assert.deepEqual(found(graph), ["load"]);
  assert.deepEqual(found(graphOf({ learn: "Learner" }, [])), []);
});

test("out of a subgraph and into another", () => {
  const loading = graphOf({ load: "Checkpoint", lora: "Lora" }, ["load.1 > lora.1", "lora.1 > end.0"], {
    outputs: CLIP,
  });
  const learning = graphOf({ learn: "Learner" }, ["outside.0 > learn.1"], { inputs: 1 });
  const root = graphOf(
    {
      other: "Checkpoint",
      giving: { ins: [], outs: CLIP, subgraph: loading },
      taking: { ins: CLIP, outs: ["STRING"], subgraph: learning },
    },
    ["giving.0 > taking.0"],
  );
  assert.deepEqual(found(learning, "learn", root), ["load"]);
  root.links.clear();
  assert.deepEqual(found(learning, "learn", root), ["other", "load"]);
});

test("a ring of links ends", () => {
  const graph = graphOf({ a: "Lora", b: "Lora", learn: "Learner" }, [
    "a.1 > b.1",
    "b.1 > a.1",
    "b.1 > learn.1",
  ]);
  assert.deepEqual(found(graph), []);
});

test("a subgraph used twice has the loaders of both", () => {
  const learning = graphOf({ learn: "Learner" }, ["outside.0 > learn.1"], { inputs: 1 });
  const use = { ins: CLIP, outs: ["STRING"], subgraph: learning };
  const root = graphOf({ one: "Checkpoint", two: "Checkpoint", first: use, second: use }, [
    "one.1 > first.0",
    "two.1 > second.0",
  ]);
  assert.deepEqual(found(learning, "learn", root), ["one", "two"]);
});

test("what is muted with its subgraph, virtual or broken is no loader", () => {
  const hidden = graphOf({ load: "Checkpoint" }, []);
  const root = graphOf(
    { off: { ins: [], outs: [], subgraph: hidden }, get: "Checkpoint", load: "Checkpoint", learn: "Learner" },
    [],
  );
  root.nodes[0].mode = 2;
  root.nodes[1].isVirtualNode = true;
  root.links.set(99, null);
  assert.deepEqual(found(root), ["load"]);
});

test("only texts of a loader are sent", () => {
  const widgets = [{ value: "sdxl.safetensors" }, { value: 3 }, { value: "" }, { value: null }];
  assert.deepEqual(textsOf({ widgets }), ["sdxl.safetensors"]);
  assert.deepEqual(textsOf({}), []);
  const inputs = [{ name: "ckpt_name", widget: { name: "ckpt_name" } }];
  const linked = { graph: {}, inputs, getInputLink: () => ({ id: 1 }) };
  assert.deepEqual(textsOf({ ...linked, widgets: [{ name: "ckpt_name", value: "old" }] }), []);
});
