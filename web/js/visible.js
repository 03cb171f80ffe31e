// Which widgets of a node are visible. What few people need is behind "more options", unless it is in
// use. Hidden widgets stay in `widgets`, so that every widget is always saved and sent.

import { chain } from "./dom.js";
import { hideWidget, isConnected, redrawWidgets, setWidget, widgetOf } from "./graph.js";
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
  const more = Object.keys(rules.rare ?? {}).length ? moreButton(node, () => update(node, rules)) : null;
  for (const name of rules.watched ?? []) {
    const widget = widgetOf(node, name);
    if (widget) chain(widget, "callback", () => update(node, rules));
  }
  chain(node, "onConnectionsChange", () => update(node, rules));
  chain(node, "onConfigure", (saved) => {
    more?.say();
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

/** The button "more options". @returns {{say(): void}} say: sets its label */
function moreButton(node, onChange) {
  const say = () => {
    button.label = node.properties?.pezMore ? t("fewer options") : t("more options");
  };
  const button = node.addWidget("button", "pez_more", null, () => {
    node.properties ??= {};
    node.properties.pezMore = !node.properties.pezMore;
    say();
    onChange();
  });
  button.options = { ...button.options, serialize: false }; // not in the prompt that is sent
  button.serialize = false; // not in the saved workflow
  say();
  return { say };
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
const ONLY_LEARN = new Set(["preset", "seed", "control_after_generate", "vocabulary"]);

/** The Prompt Mixer: the weight of what is connected, and what its mode reads. */
export const MIXER_RULES = {
  rare: { vocabulary: "words" },
  watched: ["mode"],
  decides(node, name) {
    if (name.endsWith(WEIGHT)) return isConnected(node, name.slice(0, -WEIGHT.length));
    const learns = widgetOf(node, "mode")?.value !== "concatenate";
    return ONLY_LEARN.has(name) && !learns ? false : null;
  },
};
