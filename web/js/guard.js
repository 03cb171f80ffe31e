// The guard's result for a prompt: a line for each concept, and the words responsible. Pure
// rendering, for the nodes that learn and for the Token Viewer.

import { el } from "./dom.js";
import { t } from "./language.js";
import { asSimilarity } from "./words.js";

/**
 * @typedef {{concept: string, similarity: number, threshold: number, near: boolean,
 *            says?: string[], known?: boolean}} Kept
 *          similarity: in the guard's space, so not comparable to the similarity with pictures;
 *          near: whether it is above the threshold; says: words of the prompt that name the concept
 *          literally; known: false if this CLIP does not tell the concept from an empty text
 */

const MARKED_SHARE = 0.5; // words with at least this share of the largest contribution are marked

/**
 * @param {Kept[] | undefined} guard  undefined in older workflows
 * @returns {HTMLElement | null}
 */
export function guardLines(guard) {
  if (!guard?.length) return null;
  const isClear = (kept) => !kept.near && !kept.says?.length;
  const unknown = guard.filter((kept) => kept.known === false);
  const clear = guard.filter((kept) => isClear(kept) && !unknown.includes(kept));
  return el("div", { class: "pez-guard" }, [
    ...guard.map((kept) => {
      const each = listed([kept]);
      if (kept.near) return line("pez-warning", t("Too near to {concepts}", each));
      return kept.says?.length ? line("pez-warning", t("Says outright {concepts}", each)) : null;
    }),
    clear.length ? line("pez-quiet", t("Keeps away from {concepts}", listed(clear))) : null,
    unknown.length ? unknownLine(unknown) : null,
  ]);
}

function listed(guard) {
  const each = guard.map(({ concept, similarity, threshold, known }) => {
    const values = { concept, similarity: asSimilarity(similarity), limit: asSimilarity(threshold) };
    return known === false
      ? t("“{concept}” ({similarity})", values)
      : t("“{concept}” ({similarity}, at most {limit})", values);
  });
  return { concepts: each.join(", ") };
}

function line(kind, text) {
  const title = t("Similarity of meaning to CLIP, and the highest similarity that is allowed");
  return el("div", { class: kind, role: "note", title, text });
}

function unknownLine(unknown) {
  const concepts = unknown.map((kept) => `“${kept.concept}”`).join(", ");
  const title = t("An empty text is as similar, so only the words are avoided. Try another model");
  const text = t("Not known to this CLIP: {concepts}", { concepts });
  return el("div", { class: "pez-warning", role: "note", title, text });
}

/**
 * The concepts that the prompt is too near to, or names literally, because of each word.
 * @param {Kept[] | undefined} guard
 * @param {import("./edits.js").Word[]} words
 * @param {import("./edits.js").Mark[]} marks  of the words; the node does not output banned ones
 * @returns {string[][]} the concepts of each word
 */
export function faults(guard, words, marks) {
  return words.map((word, i) => {
    if (marks[i].banned) return [];
    const text = (marks[i].replaced ?? word.text).toLowerCase(); // or several words
    const said = [text, ...(text.match(/[\p{L}\p{N}_]+/gu) ?? [])];
    const says = (kept) => said.some((one) => kept.says?.includes(one));
    const at = (guard ?? []).filter((kept) => pullsMost(word, kept, words) || says(kept));
    return at.map((kept) => kept.concept);
  });
}

function pullsMost(word, { concept, near }, words) {
  const pullOf = (one) => one.pulls?.[concept] ?? 0;
  const pull = pullOf(word);
  return near && pull > 0 && pull >= MARKED_SHARE * Math.max(...words.map(pullOf));
}
