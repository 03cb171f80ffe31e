// Whether a prompt keeps away from what it should: a line for each concept, and the words at fault.
// Pure rendering, for the nodes that learn and for the Token Viewer.

import { el } from "./dom.js";
import { asSimilarity } from "./words.js";

/**
 * @typedef {{concept: string, similarity: number, threshold: number, near: boolean}} Kept
 *          similarity: the guard's own, which is not that with pictures; near: it is above threshold
 */

const MOST_AT_FAULT = 0.5; // of the largest pull: from there on a word is marked as well

/**
 * @param {Kept[] | undefined} guard  older workflows have none saved
 * @returns {HTMLElement | null}
 */
export function guardLines(guard) {
  if (!guard?.length) return null;
  const near = guard.filter((kept) => kept.near);
  const clear = guard.filter((kept) => !kept.near);
  return el("div", { class: "pez-guard" }, [
    ...near.map((kept) => line("pez-warning", "Too near to", [kept])),
    clear.length ? line("pez-quiet", "Keeps away from", clear) : null,
  ]);
}

function line(kind, words, kept) {
  const each = kept.map((k) => {
    return `“${k.concept}” (${asSimilarity(k.similarity)}, at most ${asSimilarity(k.threshold)})`;
  });
  const title = "Nearness of meaning, as CLIP sees it, and where too near begins";
  return el("div", { class: kind, role: "note", title, text: `${words} ${each.join(", ")}` });
}

/**
 * The concepts that the prompt is too near to because of each word.
 * @param {Kept[] | undefined} guard
 * @param {import("./edits.js").Word[]} words
 * @returns {string[][]} concepts, for each word
 */
export function faults(guard, words) {
  /** @type {string[][]} */
  const found = words.map(() => []);
  for (const { concept, near } of guard ?? []) {
    if (!near) continue;
    const pulls = words.map((word) => word.pulls?.[concept] ?? 0);
    const least = MOST_AT_FAULT * Math.max(...pulls);
    pulls.forEach((pull, i) => {
      if (pull > 0 && pull >= least) found[i].push(concept);
    });
  }
  return found;
}
