// Numbers and reasons as text, and prompts as a user types them. Pure.

import { t } from "./language.js";

/** @returns {string} what a word without tokens is */
export const unread = () => t("an embedding: passed on as it is, and not measured");

const STOPPED = {
  steps: () => t("all steps done"),
  seconds: () => t("time limit reached"),
  plateau: () => t("no further improvement"),
  user: () => t("stopped by you"),
  interrupted: () => t("interrupted, best so far"),
  error: () => t("ended with an error, best so far"),
  lost: () => t("connection lost, best so far"),
};

/** @param {string} reason @returns {string} why a search ended; an unknown reason is unchanged */
export function stoppedInWords(reason) {
  return STOPPED[reason]?.() ?? String(reason ?? "");
}

/** @param {number | null | undefined} value @returns {string} "0.239", or "–" without a number */
export function asSimilarity(value) {
  return Number.isFinite(value) ? value.toFixed(3) : "–";
}

/**
 * @param {Object<string, number> | undefined} similarities by encoder
 * @returns {string} " (CLIP-L 0.231, CLIP-G 0.247)", or "" for a single encoder
 */
export function ofEach(similarities) {
  const each = Object.entries(similarities ?? {}).map(([name, s]) => `${name} ${asSimilarity(s)}`);
  return each.length ? ` (${each.join(", ")})` : "";
}

/** @param {number} value @returns {string} a painter's error: "error 0.912" */
export function asError(value) {
  return t("error {value}", { value: value.toFixed(3) });
}

/** @param {number} value @returns {string} with a sign, and a true minus: "−0.031" */
export function signed(value) {
  const digits = Math.abs(value).toFixed(3);
  if (Number(digits) === 0) return "±0.000";
  return (value < 0 ? "−" : "+") + digits;
}

/** @param {number | null | undefined} seconds @returns {string} "2.3 s", "1 min 05 s" */
export function asSeconds(seconds) {
  if (!Number.isFinite(seconds)) return "";
  if (seconds < 60) return t("{seconds} s", { seconds: seconds.toFixed(1) });
  const rest = String(Math.floor(seconds % 60)).padStart(2, "0");
  return t("{minutes} min {seconds} s", { minutes: Math.floor(seconds / 60), seconds: rest });
}

/**
 * A prompt escaped for a prompt box of ComfyUI, in which parentheses are weights, braces are a
 * choice, and "embedding:" loads a file.
 * But: a text with // or /* cannot be escaped, because the front end deletes comments.
 * @param {string} text
 * @returns {string}
 */
export function forTyping(text) {
  return text.replace(/[(){}]/g, "\\$&").replaceAll("embedding:", "embedding :");
}
