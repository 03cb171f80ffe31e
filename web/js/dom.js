// Helpers that build elements. Text is set only through textContent, because prompts are user data.

/**
 * A new element. Keys of `props`: `class`, `text`, `data` (dataset), `style` (any properties), `on`
 * (listeners). Every other key becomes an attribute, unless its value is null or false.
 * @param {string} tag
 * @param {Record<string, any>} [props]
 * @param {Array<Node | null | undefined | false>} [children]
 * @returns {HTMLElement}
 */
export function el(tag, props = {}, children = []) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "class") node.className = value;
    else if (key === "text") node.textContent = value;
    else if (key === "data") Object.assign(node.dataset, value);
    else if (key === "style")
      for (const [k, v] of Object.entries(value)) node.style.setProperty(k, v);
    else if (key === "on") for (const [k, v] of Object.entries(value)) node.addEventListener(k, v);
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  for (const child of children) if (child) node.appendChild(child);
  return node;
}

/**
 * A button of the pack. Its type is "button", so that it does not submit a form around it.
 * @param {string} label
 * @param {(event: Event) => void} action
 * @param {Record<string, any>} [props]
 * @returns {HTMLButtonElement}
 */
export function button(label, action, props = {}) {
  const { class: extra = "", ...rest } = props;
  const all = { type: "button", class: `pez-button ${extra}`.trim(), text: label, ...rest };
  return /** @type {HTMLButtonElement} */ (el("button", { ...all, on: { click: action } }));
}

/**
 * Runs `fn` after the existing hook. The hook still returns the value of the existing one.
 * @param {object} target a node or a node type's prototype
 * @param {string} hook such as "onRemoved"
 * @param {(this: any, ...args: any[]) => void} fn
 */
export function chain(target, hook, fn) {
  const before = target[hook];
  target[hook] = function (...args) {
    const result = before?.apply(this, args);
    fn.apply(this, args);
    return result;
  };
}

/**
 * Copies a text to the clipboard. The clipboard API needs https or localhost. Many people open
 * ComfyUI over http in their own network, so a second way is necessary.
 * @param {string} text
 * @returns {Promise<boolean>} whether it worked
 */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = /** @type {HTMLTextAreaElement} */ (el("textarea", { class: "pez-offscreen" }));
    area.value = text;
    document.body.appendChild(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}
