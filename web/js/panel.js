// The panel at the bottom of a node: a DOM widget that is neither saved nor sent.

import { chain, el } from "./dom.js";

const WIDTH = 340;
const MAX_HEIGHT = 300; // in Nodes 2.0 a panel grows up to this height, then it scrolls
const ROOM = 50; // height of a new node of the classic canvas above the minimum

/**
 * Appends a panel to a node. It must be the node's last widget: ComfyUI's front end 1.35.9 shifts
 * the saved values of every widget after one that is not saved.
 * @param {any} node
 * @param {number} minHeight in the node's own pixels
 * @returns {HTMLElement} the panel; `fill` sets its content
 */
export function addPanel(node, minHeight) {
  const body = el("div", { class: "pez-body" });
  const panel = el(
    "div",
    {
      class: "pez-panel",
      style: { "--pez-height": `${minHeight}px` },
      // Nodes 2.0: the wheel scrolls the panel with the focus
      data: { captureWheel: "true", pez: node.comfyClass },
    },
    [body],
  );
  const widget = node.addDOMWidget(uniqueName(), "PEZ_PANEL", panel, {
    serialize: false, // not in the prompt that is sent
    hideInPanel: true, // the side panel lists widgets that can be typed into
    hideOnZoom: false,
    getMinHeight: () => minHeight,
  });
  widget.serialize = false; // not in the saved workflow
  // In a panel, Space and Enter press buttons. ComfyUI's own bindings must not see them.
  for (const name of ["keydown", "keyup"]) {
    panel.addEventListener(name, (event) => {
      if (event.key === " " || event.key === "Enter") event.stopPropagation();
    });
  }
  // A DOM widget does not change the size of its node.
  const [, height] = node.computeSize();
  node.setSize([Math.max(node.size[0], WIDTH), Math.max(node.size[1], height + ROOM)]);

  const observer = new ResizeObserver(() => {
    const wanted = Math.min(MAX_HEIGHT, Math.max(minHeight, body.offsetHeight));
    panel.style.setProperty("--pez-height", `${wanted}px`);
  });
  observer.observe(body);
  chain(node, "onRemoved", () => observer.disconnect());
  return panel;
}

// If another node with the same id replaces a node, as after a change of workflow, Nodes 2.0 of the
// front end 1.35.9 keeps the element of a widget with the same name. It would show the old panel.
function uniqueName() {
  return `pez_panel_${Math.random().toString(36).slice(2)}`;
}

/** Replaces the content of a panel and keeps its scroll position. */
export function fill(panel, view) {
  const top = panel.scrollTop;
  panel.querySelector(".pez-body").replaceChildren(view);
  panel.scrollTop = top;
}

/** Shows the result of a click on its button for a moment. */
export function flash(target, text) {
  target.querySelector(".pez-flash")?.remove();
  const note = el("span", { class: "pez-flash", text, role: "status" });
  target.appendChild(note);
  setTimeout(() => note.remove(), 1200);
}
