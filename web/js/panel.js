// The panel at the foot of a node: a DOM widget that shows, and is neither saved nor sent.

import { chain, el } from "./dom.js";

const WIDTH = 340;
const MAX_HEIGHT = 300; // in Nodes 2.0 a panel grows with its content up to this, then it scrolls
const ROOM = 50; // a new node of the classic canvas gets so much more than the least height

/**
 * Appends a panel to a node. It must be the node's last widget: ComfyUI's front end 1.35.9 shifts
 * the saved values of every widget behind one that is not saved.
 * @param {any} node
 * @param {number} minHeight in the node's own pixels
 * @returns {HTMLElement} fill it with `fill`
 */
export function addPanel(node, minHeight) {
  const body = el("div", { class: "pez-body" });
  const panel = el(
    "div",
    {
      class: "pez-panel",
      style: { "--pez-height": `${minHeight}px` },
      // Nodes 2.0: the wheel scrolls the panel that has the focus
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
  // Space pans the canvas and Enter belongs to ComfyUI's key bindings; here they press buttons.
  for (const name of ["keydown", "keyup"]) {
    panel.addEventListener(name, (event) => {
      if (event.key === " " || event.key === "Enter") event.stopPropagation();
    });
  }
  // A DOM widget does not make its node grow by itself.
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

// Nodes 2.0 of the front end 1.35.9 keeps the element of an equally named widget when a node gives
// way to another of the same id, as on a change of workflow: it would show the other one's panel.
function uniqueName() {
  return `pez_panel_${Math.random().toString(36).slice(2)}`;
}

/** Shows one view; where the reader had scrolled to stays. */
export function fill(panel, view) {
  const top = panel.scrollTop;
  panel.querySelector(".pez-body").replaceChildren(view);
  panel.scrollTop = top;
}

/** Says on a button for a moment what came of the click. */
export function flash(target, text) {
  target.querySelector(".pez-flash")?.remove();
  const note = el("span", { class: "pez-flash", text, role: "status" });
  target.appendChild(note);
  setTimeout(() => note.remove(), 1200);
}
