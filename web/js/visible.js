// Which widgets of a node are visible. What few people need is behind "more options", unless it is in
// use. Hidden widgets stay in `widgets`, so that every widget is always saved and sent.

import { chain } from "./dom.js";
import { hideWidget, isConnected, redrawWidgets, renameModel, setWidget, widgetOf } from "./graph.js";
import { t } from "./language.js";

/**
 * @typedef {object} Rules
 * @property {Record<string, any>} [rare] widgets behind "more options", with the values that they
 *   have when they are not in use
 * @property {(node: any, name: string) => boolean | null} [decides] whether a widget is visible;
 *   null leaves it to the other rules
 * @property {string[]} [watched] widgets whose values change what is visible
 */

/** @param {any} node a new node, before its panel is added @param {Rules} rules */
export function setUpVisible(node, rules) {
  if (rules.rare) addMoreButton(node, () => update(node, rules));
  for (const name of rules.watched ?? []) {
    const widget = widgetOf(node, name);
    if (widget) chain(widget, "callback", () => update(node, rules));
  }
  chain(node, "onConnectionsChange", () => update(node, rules));
  chain(node, "onConfigure", (saved) => {
    renameModel(node);
    update(node, rules);
    // The saved size is already that of the visible widgets.
    if (saved?.size) node.setSize([saved.size[0], Math.max(saved.size[1], node.computeSize()[1])]);
  });
  update(node, rules);
}

/** Shows and hides the widgets of a node. */
function update(node, rules) {
  const before = node.computeSize()[1];
  for (const widget of node.widgets ?? []) {
    const visible = rules.decides?.(node, widget.name) ?? isInSight(node, widget, rules);
    // A widget with a link of its own stays visible, so that a user can disconnect it.
    hideWidget(widget, !visible && !isConnected(node, widget.name));
  }
  const after = node.computeSize()[1];
  if (after !== before)
    node.setSize([node.size[0], Math.max(after, node.size[1] + after - before)]);
  node.setDirtyCanvas?.(true, true);
  redrawWidgets(node);
}

function isInSight(node, widget, { rare = {} }) {
  if (!(widget.name in rare) || node.properties?.pezMore) return true;
  return widget.value !== rare[widget.name];
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

/**
 * The rules of Image→Hard Prompt. The preset "custom" shows the numbers that the other presets set,
 * filled with those of the preset "default".
 * @param {Record<string, number>} custom the numbers, by widget
 * @returns {Rules}
 */
export function learnerRules(custom) {
  const unset = { steps: 0, restarts: 0, learning_rate: 0, weight_decay: -1 };
  return {
    rare: { vocabulary: "words", seconds: 0, text_targets: "", painter_edits: 0 },
    watched: ["preset"],
    decides(node, name) {
      if (!(name in unset)) return null;
      const widget = widgetOf(node, name);
      if (widgetOf(node, "preset")?.value !== "custom") return widget.value !== unset[name];
      if (widget.value === unset[name] && name in custom) setWidget(node, name, custom[name]);
      return true;
    },
  };
}

export const RANKER_RULES = { rare: { rounds: 8, seconds: 0, size: 0, edits: 0, words: false } };

const WEIGHT = "_weight";
const PROMPT = /^prompt_(\d)$/;
const ONLY_LEARN = new Set(["preset", "seed", "control_after_generate", "vocabulary"]);

const isUsed = (node, name) => isConnected(node, name) || Boolean(widgetOf(node, name)?.value);

/** The Prompt Mixer: the prompts in use and one more, their weights, and what its mode reads. */
export const MIXER_RULES = {
  rare: { vocabulary: "words" },
  watched: ["mode", ...Array.from({ length: 8 }, (_, i) => `prompt_${i + 1}`)],
  decides(node, name) {
    if (name.endsWith(WEIGHT)) return isUsed(node, name.slice(0, -WEIGHT.length));
    const number = Number(PROMPT.exec(name)?.[1]);
    if (number > 1) return isUsed(node, name) || isUsed(node, `prompt_${number - 1}`);
    const learns = widgetOf(node, "mode")?.value !== "concatenate";
    return ONLY_LEARN.has(name) && !learns ? false : null;
  },
};

/** The Token Viewer: a typed prompt, where none is connected. Its edits are made on the words. */
export const VIEWER_RULES = {
  decides(node, name) {
    if (name === "edits") return false;
    if (name !== "prompt" || widgetOf(node, "prompt")?.value) return null;
    return !isConnected(node, "tokens");
  },
};
