// The edits of a prompt that a painter took. Pure rendering.

import { button, el } from "./dom.js";
import { said, t } from "./language.js";

/**
 * @typedef {{prompt: string, gain: number, pieces: {text: string, kind: string}[]}} Edit
 *          gain: how much lower the error is; pieces: of both texts, "same", "gone" or "new"
 * @typedef {{edits: Edit[], reason: string}} Edited
 */

const NONE = {
  "no better edit": () => t("No edit is surely better."),
  seconds: () => t("The time was up before an edit."),
  stopped: () => t("Stopped before an edit."),
};
const TAGS = { same: "span", gone: "del", new: "ins" };

/**
 * @param {Edited | null | undefined} edited nothing if no edits were asked for
 * @param {(text: string, from: HTMLElement) => void} onCopy
 * @returns {HTMLElement | null}
 */
export function editedLines(edited, onCopy) {
  if (!edited) return null;
  if (!edited.edits.length) {
    const text = NONE[edited.reason]?.() ?? `${t("No edit was taken.")} ${said(edited.reason)}`;
    return el("div", { class: "pez-quiet", text });
  }
  const items = edited.edits.map(({ prompt, gain, pieces }) => {
    const by = gain.toFixed(3);
    const title = t("error −{gain} by this edit. Click to copy the prompt", { gain: by });
    const item = button("", () => onCopy(prompt, item), { class: "pez-candidate", title });
    const words = pieces.map(({ text, kind }) => el(TAGS[kind] ?? "span", { text }));
    item.append(
      el("span", { class: "pez-similarity", text: `−${by}` }),
      el("span", { class: "pez-grow pez-changes" }, words),
    );
    return el("li", {}, [item]);
  });
  return el("div", { class: "pez-edited" }, [
    el("div", { class: "pez-heading", text: t("Edited by the model you paint with") }),
    el("ol", { class: "pez-candidates" }, items),
  ]);
}
