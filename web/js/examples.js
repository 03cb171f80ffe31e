// The pictures of the example workflows, which the server puts into ComfyUI's input folder.

const PATIENCE = 2000; // milliseconds; a workflow is shown without its pictures after that

const brought = new Set();

/**
 * Brings the pictures that a workflow loads from the folder of ours, once each.
 * @param {any} graph a saved workflow
 * @param {(names: string[]) => Promise<{pictures?: string[]} | null>} ask the server
 */
export async function bringPictures(graph, ask) {
  const loading = (graph?.nodes ?? []).filter((node) => node.type === "LoadImage");
  const names = loading.map((node) => String(node.widgets_values?.[0] ?? ""));
  const wanted = names.filter((name) => name.startsWith("pez/") && !brought.has(name));
  if (!wanted.length) return;
  const late = new Promise((resolve) => setTimeout(() => resolve(null), PATIENCE));
  const found = (await Promise.race([ask(wanted), late]))?.pictures ?? [];
  found.forEach((name) => brought.add(name));
  offer(found);
}

/** Adds pictures to those that LoadImage offers, as an upload does. Others count as missing. */
function offer(pictures) {
  const type = window.LiteGraph.registered_node_types.LoadImage;
  const [options, more] = type?.nodeData?.input?.required?.image ?? [];
  const offered = Array.isArray(options) ? options : more?.options;
  for (const name of pictures) if (!offered?.includes(name)) offered?.push(name);
}
