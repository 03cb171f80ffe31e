// What a node says before a run of what the graph paints with.

import { button, el } from "./dom.js";
import { t } from "./language.js";

/**
 * @typedef {{painter: string | null, model: string | null, fits: boolean, here: boolean}} Advice
 *   the server's, on a chosen model: what the graph paints with (null: not known, "": without a
 *   name), the model for it, whether the chosen one fits, and whether it needs no download
 */

/**
 * @param {Advice} advice
 * @param {{model: string, hasClip: boolean, isRanked: boolean, isRead: boolean}} state the chosen
 *   model, whether it is read, and whether the text encoder and a Prompt Ranker are connected
 * @param {(entry: string) => void} choose
 * @returns {HTMLElement | null} null where there is nothing to say
 */
export function notice(advice, { model, hasClip, isRanked, isRead }, choose) {
  const { painter, model: entry, fits, here } = advice;
  if (painter !== null && !fits) {
    if (entry && isRead) {
      const press = () => choose(entry);
      return warning(unfit(painter, model), button(t("Choose {model}", { model: entry }), press));
    }
    if (!entry && !isRanked) return warning(readsSentences(painter));
  }
  if (here || !isRead) return null;
  const text = hasClip
    ? t("The first run downloads the image encoder for {model}, unless a file on this machine has it.", { model })
    : t("The CLIP for {model} is not on this machine yet: the first run downloads it.", { model });
  return el("div", { class: "pez-note pez-notice", text });
}

const unfit = (painter, model) =>
  painter
    ? t("This graph paints with {painter}. Words learned for {model} may not reach it.", { painter, model })
    : t("Words learned for {model} may not reach what this graph paints with.", { model });

const readsSentences = (painter) =>
  painter
    ? t("This graph paints with {painter}, which reads sentences: learned words do not steer it. Prompt Ranker chooses among sentences.", { painter })
    : t("What this graph paints with reads sentences: learned words do not steer it. Prompt Ranker chooses among sentences.");

function warning(text, more = null) {
  return el("div", { class: "pez-warning pez-notice" }, [el("div", { text }), more]);
}
