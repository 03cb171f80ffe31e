// A document without a browser, for the modules that only render.

import { parseHTML } from "linkedom";

/** Sets the globals the rendering modules use. @returns {Document} */
export function newDocument() {
  const { document, window } = parseHTML("<html><head></head><body></body></html>");
  Object.assign(globalThis, { document, window });
  return document;
}

/** Clicks as a person does. */
export function click(element) {
  element.dispatchEvent(new globalThis.window.Event("click", { bubbles: true }));
}

/** Fires an event that does not bubble, such as pointerenter. */
export function fire(element, name) {
  element.dispatchEvent(new globalThis.window.Event(name));
}
