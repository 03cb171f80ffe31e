// The loaders of the text encoders in a graph: what its painter reads with, found before a run.

import { isConnected } from "./graph.js";

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
    !one.isVirtualNode && // such as a GetNode, which knows no file
    !isOff(one) &&
    one.outputs?.some(isClip) &&
    !isGivenClip(one);

  const before = (one) => wires.origins(one, () => true);
  const clipsBefore = (one) => wires.origins(one, isClip);
  const after = (one) => (isGivenClip(one) ? [] : wires.targets(one));
  const ways = [
    () => closure(clipsBefore(node), clipsBefore),
    () => closure(closure(wires.targets(node), after).flatMap(clipsBefore), clipsBefore),
    () => closure(before(node), before),
    () => nodes,
  ];
  for (const way of ways) {
    const found = way().filter(isLoader);
    if (found.length) return found;
  }
  return [];
}

/** The texts among the values of a loader that are not linked. @param {any} loader @returns {string[]} */
export function textsOf(loader) {
  const own = (loader.widgets ?? []).filter((widget) => !isConnected(loader, widget.name));
  const values = own.map((widget) => widget.value);
  return values.filter((value) => typeof value === "string" && value);
}

const isOff = (node) => node.mode === MUTED || node.mode === BYPASSED;
const isClip = (slot) => String(slot?.type).toUpperCase() === "CLIP";
const nodesOf = (graph) => [...(graph.nodes ?? graph._nodes ?? [])];
const linksOf = (graph) =>
  [...(graph.links?.values?.() ?? Object.values(graph.links ?? {}))].filter(Boolean);

/** Every node that can be reached from some, with these. */
function closure(starts, next) {
  const seen = new Set(starts);
  for (const node of seen) {
    if (seen.size > MOST_NODES) break;
    for (const one of next(node)) seen.add(one);
  }
  return [...seen];
}

/** A graph and its subgraphs, without those of muted nodes. @param {any} root @returns {any[]} */
export function graphsIn(root) {
  const graphs = new Set([root]);
  for (const graph of graphs) {
    for (const node of nodesOf(graph)) if (node.subgraph && !isOff(node)) graphs.add(node.subgraph);
  }
  return [...graphs];
}

/**
 * The wires between nodes, through the borders of subgraphs. They are read from the graphs' links:
 * `getInputLink` of a subgraph's node is about its outputs.
 */
function readWires(graphs, nodes) {
  const instancesOf = (graph) => nodes.filter((node) => node.subgraph === graph);
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

  /** Several, where a subgraph has several instances. */
  function originsOf(node, index, borders = MOST_BORDERS) {
    const link = into(node, index);
    return link && borders ? startsOf(node.graph, link, borders - 1) : [];
  }

  function startsOf(graph, link, borders) {
    const origin = graph.getNodeById(link.origin_id);
    if (!origin) {
      if (Number(link.origin_id) !== FROM_OUTSIDE) return [];
      return instancesOf(graph).flatMap((one) => originsOf(one, link.origin_slot, borders));
    }
    if (!origin.subgraph) return [origin];
    const inner = origin.subgraph;
    const id = inner.outputs?.[link.origin_slot]?.linkIds?.[0];
    const within = linksOf(inner).find((one) => String(one.id) === String(id));
    return within && borders ? startsOf(inner, within, borders - 1) : [];
  }

  return {
    into,
    /** The nodes that some inputs come from; a reroute has one of any type. */
    origins(node, wanted) {
      const isReroute = node.type === "Reroute";
      return (node.inputs ?? []).flatMap((slot, index) =>
        isReroute || wanted(slot) ? originsOf(node, index) : [],
      );
    },
    /** The nodes that the outputs go to, in the same graph. */
    targets(node) {
      const links = starts.get(node.graph)?.get(String(node.id)) ?? [];
      return links.map((link) => node.graph.getNodeById(link.target_id)).filter(Boolean);
    },
  };
}
