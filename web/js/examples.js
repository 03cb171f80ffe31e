// The pictures of the example workflows, which the server puts into ComfyUI's input folder.

/** The pictures that a workflow loads from the folder of ours. @returns {string[]} */
export function examplePictures(graph) {
  const loading = (graph?.nodes ?? []).filter((node) => node.type === "LoadImage");
  const names = loading.map((node) => String(node.widgets_values?.[0] ?? ""));
  return names.filter((name) => name.startsWith("pez/"));
}

/** Adds pictures to those that LoadImage offers, as an upload does. Others count as missing. */
export function offerPictures(pictures) {
  const type = window.LiteGraph.registered_node_types.LoadImage;
  const [options, more] = type?.nodeData?.input?.required?.image ?? [];
  const offered = Array.isArray(options) ? options : more?.options;
  for (const name of pictures) if (!offered?.includes(name)) offered?.push(name);
}
