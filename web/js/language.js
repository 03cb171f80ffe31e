// The language of the panels. English is in the code; `chinese.js` has the Chinese for all of it.

import { CHINESE, FROM_SERVER } from "./chinese.js";

let isChinese = false;

/** @param {string | undefined} locale such as "en", "zh" or "zh-TW" */
export function setLanguage(locale) {
  isChinese = /^zh\b/i.test(locale ?? "");
}

/**
 * A text of the front end in the user's language.
 * @param {string} text in English, with a {name} for each value
 * @param {Record<string, any>} [values]
 * @returns {string}
 */
export function t(text, values = {}) {
  return filled((isChinese && CHINESE[text]) || text, values);
}

/**
 * A text of the server, a note or an error, in the user's language. A text that is not known stays
 * as it is.
 * @param {string} text
 * @returns {string}
 */
export function said(text) {
  if (!isChinese) return text;
  // Notes are joined by semicolons. A text of several parts may also be one text.
  return translated(text) ?? text.split("; ").map((part) => translated(part) ?? part).join("；");
}

function translated(text) {
  for (const [english, chinese] of Object.entries(FROM_SERVER)) {
    const values = matched(english, text);
    if (values) return filled(chinese, values);
  }
  return null;
}

/** The values in a text that a template such as "the {0} is missing" makes; null if it does not. */
function matched(template, text) {
  const parts = template.split(/\{\d+\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const found = new RegExp(`^${parts.join("([^]*?)")}$`).exec(text);
  return found ? Object.fromEntries(found.slice(1).map((value, i) => [i, said(value)])) : null;
}

function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}
