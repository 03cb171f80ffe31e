// The results of a node, saved with the workflow. A node that ran for each picture of a list has
// several: `properties.pez` is the one that is shown, `properties.pezAll` has all of them.

import { button, el } from "./dom.js";
import { t } from "./language.js";

/** Saves what a node returned. @param {any} node @param {any[]} results at least one */
export function saveResults(node, results) {
  node.properties ??= {};
  Object.assign(node.properties, { pez: results[0], pezAll: results, pezShown: 0 });
  if (results.length > 1) return;
  delete node.properties.pezAll;
  delete node.properties.pezShown;
}

/**
 * The buttons to page through several results; null for a single one.
 * @param {any} node
 * @param {() => void} onPage after another result was chosen
 * @returns {HTMLElement | null}
 */
export function pager(node, onPage) {
  const { pezAll: all, pezShown: at = 0 } = node.properties ?? {};
  if (!Array.isArray(all) || all.length < 2) return null;
  const to = (step) => () => {
    const next = (at + step + all.length) % all.length;
    Object.assign(node.properties, { pez: all[next], pezShown: next });
    onPage();
  };
  return el("div", { class: "pez-line pez-pager" }, [
    button("‹", to(-1), { "aria-label": t("previous result") }),
    el("span", { class: "pez-quiet", text: t("{n} of {all}", { n: at + 1, all: all.length }) }),
    button("›", to(1), { "aria-label": t("next result") }),
  ]);
}
