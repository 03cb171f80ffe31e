// Whether a prompt keeps away from what it should: a line for each concept, and the words at fault.
// Pure rendering, for the nodes that learn and for the Token Viewer.

import { el } from "./dom.js";
import { asSimilarity } from "./words.js";

/**
 * @typedef {{concept: string, similarity: number, threshold: number, near: boolean,
 *            says?: string[], known?: boolean}} Kept
 *          similarity: the guard's own, which is not that with pictures; near: it is above threshold;
 *          says: words of the prompt that say the concept outright, whatever the whole means;
 *          known: false where to this CLIP the concept means no more than an empty text
 */

const MOST_AT_FAULT = 0.5; // of the largest pull: from there on a word is marked as well
const TITLE = "Nearness of meaning, as CLIP sees it, and where too near begins";

/**
 * @param {Kept[] | undefined} guard  older workflows have none saved
 * @returns {HTMLElement | null}
 */
export function guardLines(guard) {
  if (!guard?.length) return null;
  const isClear = (kept) => !kept.near && !kept.says?.length;
  const unknown = guard.filter((kept) => kept.known === false);
  const clear = guard.filter((kept) => isClear(kept) && !unknown.includes(kept));
  return el("div", { class: "pez-guard" }, [
    ...guard.map((kept) => {
      if (kept.near) return line("pez-warning", "Too near to", [kept]);
      return kept.says?.length ? line("pez-warning", "Says outright", [kept]) : null;
    }),
    clear.length ? line("pez-quiet", "Keeps away from", clear) : null,
    unknown.length ? unknownLine(unknown) : null,
  ]);
}

function line(kind, words, kept) {
  const each = kept.map((k) => {
    const limit = k.known === false ? "" : `, at most ${asSimilarity(k.threshold)}`;
    return `“${k.concept}” (${asSimilarity(k.similarity)}${limit})`;
  });
  const text = `${words} ${each.join(", ")}`;
  return el("div", { class: kind, role: "note", title: TITLE, text });
}

function unknownLine(unknown) {
  const names = unknown.map((kept) => `“${kept.concept}”`).join(", ");
  const title = "An empty text is as near: only the words are kept away from. Try another model";
  const text = `Not known to this CLIP: ${names}`;
  return el("div", { class: "pez-warning", role: "note", title, text });
}

/**
 * The concepts that the prompt is too near to, or says outright, because of each word.
 * @param {Kept[] | undefined} guard
 * @param {import("./edits.js").Word[]} words
 * @param {import("./edits.js").Mark[]} marks  of the words: what is banned is not passed on
 * @returns {string[][]} concepts, for each word
 */
export function faults(guard, words, marks) {
  return words.map((word, i) => {
    if (marks[i].banned) return [];
    const text = (marks[i].replaced ?? word.text).toLowerCase(); // of a replacement may be several
    const said = [text, ...(text.match(/[\p{L}\p{N}_]+/gu) ?? [])];
    const says = (kept) => said.some((one) => kept.says?.includes(one));
    const at = (guard ?? []).filter((kept) => pullsMost(word, kept, words) || says(kept));
    return at.map((kept) => kept.concept);
  });
}

function pullsMost(word, { concept, near }, words) {
  const pullOf = (one) => one.pulls?.[concept] ?? 0;
  const pull = pullOf(word);
  return near && pull > 0 && pull >= MOST_AT_FAULT * Math.max(...words.map(pullOf));
}
