// Small helpers for building the page. Text goes in by textContent only: prompts are user data.

/**
 * A new element. `props` keys: `class`, `text`, `data` (dataset), `style` (custom properties and
 * plain ones), `on` (listeners); everything else becomes an attribute, unless it is null or false.
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
 * A button of the pack. `type` is set, or a button inside a form would submit it.
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
 * Runs `fn` after the hook that is already there; the first hook's answer stays the answer.
 * @param {object} target a node or a node type's prototype
 * @param {string} hook such as "onRemoved"
 * @param {(this: any, ...args: any[]) => void} fn
 */
export function chain(target, hook, fn) {
  const before = target[hook];
  target[hook] = function (...args) {
    const answer = before?.apply(this, args);
    fn.apply(this, args);
    return answer;
  };
}

/**
 * Puts a text on the clipboard. Clipboard access needs https or localhost; many people open ComfyUI
 * over plain http in their own network, hence the second way.
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
