// Which widgets of a node are visible. What few people need is behind "more options", unless it is in
// use. Hidden widgets stay in `widgets`, so that every widget is always saved and sent.

import { chain } from "./dom.js";
import { hideWidget, isConnected, redrawWidgets, renameModel, setWidget, widgetOf } from "./graph.js";
import { t } from "./language.js";

/**
 * @typedef {(name: string) => any} OptionsOf the options of an input, as the server describes it
 * @typedef {object} Rules
 * @property {string[]} [rare] widgets behind "more options", unless their value is not the default
 * @property {(node: any, name: string, optionsOf: OptionsOf) => boolean | null} [decides] whether a
 *   widget is visible; null leaves it to the other rules
 * @property {string[]} [watched] widgets whose values change what is visible
 */

/**
 * @param {any} node a new node, before its panel is added
 * @param {Rules} rules
 * @param {OptionsOf} optionsOf
 */
export function setUpVisible(node, rules, optionsOf) {
  const show = () => update(node, rules, optionsOf);
  if (rules.rare) addMoreButton(node, show);
  for (const name of rules.watched ?? []) {
    const widget = widgetOf(node, name);
    if (widget) chain(widget, "callback", show);
  }
  chain(node, "onConnectionsChange", show);
  chain(node, "onConfigure", (saved) => {
    renameModel(node);
    show();
    // The saved size is already that of the visible widgets.
    if (saved?.size) node.setSize([saved.size[0], Math.max(saved.size[1], node.computeSize()[1])]);
  });
  show();
}

/** Shows and hides the widgets of a node. */
function update(node, rules, optionsOf) {
  const before = node.computeSize()[1];
  for (const widget of node.widgets ?? []) {
    const { name } = widget;
    const isRare = rules.rare?.includes(name) && widget.value === optionsOf(name).default;
    const visible =
      rules.decides?.(node, name, optionsOf) ?? (!isRare || node.properties?.pezMore === true);
    // A widget with a link of its own stays visible, so that a user can disconnect it.
    hideWidget(widget, !visible && !isConnected(node, name));
  }
  const after = node.computeSize()[1];
  if (after !== before)
    node.setSize([node.size[0], Math.max(after, node.size[1] + after - before)]);
  node.setDirtyCanvas?.(true, true);
  redrawWidgets(node);
}

function addMoreButton(node, onChange) {
  const button = node.addWidget("button", "pez_more", null, () => {
    node.properties ??= {};
    node.properties.pezMore = !node.properties.pezMore;
    onChange();
  });
  button.label = t("more or fewer options");
  button.options = { ...button.options, serialize: false }; // not in the prompt that is sent
  button.serialize = false; // not in the saved workflow
}

const NUMBERS = new Set(["steps", "restarts", "learning_rate", "weight_decay"]);

/**
 * Image→Hard Prompt. The preset "custom" shows the numbers that the other presets set, filled with
 * those that its input has under `custom`.
 * @type {Rules}
 */
export const LEARNER_RULES = {
  rare: ["vocabulary", "seconds", "text_targets", "painter_edits"],
  watched: ["preset"],
  decides(node, name, optionsOf) {
    if (!NUMBERS.has(name)) return null;
    const isUnset = () => widgetOf(node, name).value === optionsOf(name).default;
    if (widgetOf(node, "preset")?.value !== "custom") return !isUnset();
    const { [name]: number } = optionsOf("preset").custom ?? {};
    if (isUnset() && number !== undefined) setWidget(node, name, number);
    return true;
  },
};

/** @type {Rules} */
export const RANKER_RULES = { rare: ["rounds", "seconds", "size", "edits", "words"] };

const WEIGHT = "_weight";
const PROMPT = /^prompt_(\d)$/;
const ONLY_LEARN = new Set(["preset", "seed", "control_after_generate", "vocabulary"]);

const isUsed = (node, name) => isConnected(node, name) || Boolean(widgetOf(node, name)?.value);

/** The Prompt Mixer: the prompts in use and one more, their weights, and what its mode reads. @type {Rules} */
export const MIXER_RULES = {
  rare: ["vocabulary"],
  watched: ["mode", ...Array.from({ length: 8 }, (_, i) => `prompt_${i + 1}`)],
  decides(node, name) {
    if (name.endsWith(WEIGHT)) return isUsed(node, name.slice(0, -WEIGHT.length));
    const number = Number(PROMPT.exec(name)?.[1]);
    if (number > 1) return isUsed(node, name) || isUsed(node, `prompt_${number - 1}`);
    const learns = widgetOf(node, "mode")?.value !== "concatenate";
    return ONLY_LEARN.has(name) && !learns ? false : null;
  },
};

/** The Token Viewer: a typed prompt, where none is connected. Its edits are made on the words. @type {Rules} */
export const VIEWER_RULES = {
  decides(node, name) {
    if (name === "edits") return false;
    if (name !== "prompt" || widgetOf(node, "prompt")?.value) return null;
    return !isConnected(node, "tokens");
  },
};
