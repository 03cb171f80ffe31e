// The loaders of the text encoders in a graph: what its painter reads with, found before a run.

const MUTED = 2;
const BYPASSED = 4;
const FROM_OUTSIDE = -10; // the origin of a link from an input of a subgraph
const MOST_NODES = 2000; // that are looked at
const MOST_BORDERS = 50; // of subgraphs on one way

/**
 * The loaders of the text encoders that a node's words go to: that of its own `clip`, else those of
 * what reads its prompt, else those that its picture comes from, else all of the graph.
 * @param {any} root the graph with everything in it
 * @param {any} node
 * @returns {any[]}
 */
export function loadersFor(root, node) {
  const graphs = graphsIn(root);
  const nodes = graphs.flatMap(nodesOf);
  const wires = readWires(graphs, nodes);
  const isGivenClip = (one) => one.inputs?.some((slot, at) => isClip(slot) && wires.into(one, at));
  const isLoader = (one) =>
    !one.subgraph &&
    one.mode !== MUTED &&
    one.mode !== BYPASSED &&
    one.outputs?.some(isClip) &&
    !isGivenClip(one);

  const before = (one) => wires.origins(one, () => true);
  const clipsBefore = (one) => wires.origins(one, isClip);
  const after = (one) => (isGivenClip(one) ? [] : wires.targets(one));
  const groups = [
    closure(clipsBefore(node), clipsBefore),
    closure(closure(wires.targets(node), after).flatMap(clipsBefore), clipsBefore),
    closure(before(node), before),
    nodes,
  ];
  return groups.map((group) => group.filter(isLoader)).find((group) => group.length) ?? [];
}

/** The texts among the values of a loader. @param {any} loader @returns {string[]} */
export function textsOf(loader) {
  const values = (loader.widgets ?? []).map((widget) => widget.value);
  return values.filter((value) => typeof value === "string" && value);
}

const isClip = (slot) => String(slot?.type).toUpperCase() === "CLIP";
const nodesOf = (graph) => [...(graph.nodes ?? graph._nodes ?? [])];
const linksOf = (graph) => [...(graph.links?.values?.() ?? Object.values(graph.links ?? {}))];

/** Every node that can be reached from some, with these. */
function closure(starts, next) {
  const seen = new Set(starts);
  for (const node of seen) {
    if (seen.size > MOST_NODES) break;
    for (const one of next(node)) seen.add(one);
  }
  return [...seen];
}

/** A graph and its subgraphs. */
function graphsIn(root) {
  const graphs = new Set([root]);
  for (const graph of graphs) {
    for (const node of nodesOf(graph)) if (node.subgraph) graphs.add(node.subgraph);
  }
  return [...graphs];
}

/**
 * The wires between nodes, through the borders of subgraphs. They are read from the graphs' links:
 * `getInputLink` of a subgraph's node is about its outputs.
 */
function readWires(graphs, nodes) {
  const parents = new Map(nodes.map((node) => [node.subgraph, node])); // the node of each subgraph
  const key = (id, slot) => `${id}:${slot}`;
  const ends = new Map(graphs.map((graph) => [graph, new Map()]));
  const starts = new Map(graphs.map((graph) => [graph, new Map()]));
  for (const graph of graphs) {
    for (const link of linksOf(graph)) {
      ends.get(graph).set(key(link.target_id, link.target_slot), link);
      const from = String(link.origin_id);
      starts.get(graph).set(from, [...(starts.get(graph).get(from) ?? []), link]);
    }
  }
  const into = (node, index) => ends.get(node.graph)?.get(key(node.id, index));

  function originOf(node, index) {
    for (let link = into(node, index), i = 0; link && i < MOST_BORDERS; i++) {
      const { graph } = node;
      const origin = graph.getNodeById(link.origin_id);
      if (origin && !origin.subgraph) return origin;
      if (origin) {
        const inner = origin.subgraph;
        const id = inner.outputs?.[link.origin_slot]?.linkIds?.[0];
        link = linksOf(inner).find((one) => String(one.id) === String(id));
        node = { graph: inner };
      } else if (Number(link.origin_id) === FROM_OUTSIDE && parents.has(graph)) {
        node = parents.get(graph);
        link = into(node, link.origin_slot);
      } else return null;
    }
    return null;
  }

  return {
    into,
    /** The nodes that some inputs come from; a reroute has one of any type. */
    origins(node, wanted) {
      const isReroute = node.type === "Reroute";
      const found = (node.inputs ?? []).map((slot, index) =>
        isReroute || wanted(slot) ? originOf(node, index) : null,
      );
      return found.filter(Boolean);
    },
    /** The nodes that the outputs go to, in the same graph. */
    targets(node) {
      const links = starts.get(node.graph)?.get(String(node.id)) ?? [];
      return links.map((link) => node.graph.getNodeById(link.target_id)).filter(Boolean);
    },
  };
}
