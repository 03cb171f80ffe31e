// A user's edits of the words of a prompt in the Token Viewer: locked, banned or replaced.
// Pure. pez_core/text/edits.py has the same rules; tests/fixtures/edits.json checks both.

/**
 * @typedef {{id: number, text: string, contribution?: number | null}} Token
 * @typedef {{before: string, text: string, tokens: Token[],
 *            alternatives?: {text: string, similarity: number}[],
 *            pulls?: Record<string, number>}} Word
 *          pulls: how much this word adds to the similarity with each concept of the guard
 * @typedef {{schema: 1, source: string, locked: number[], banned: string[],
 *            replaced: Record<string, string>}} Edits  indices: into the words of `source`;
 *          banned: in lower case
 * @typedef {{locked: boolean, banned: boolean, replaced: string | null}} Mark
 */

// After a slot only these need no space: "{3}, cat" is fine, but "{3}cat" would join two words.
const CLOSING = new Set([",", ".", ";", ":", "!", "?"]);

/** @returns {Edits} */
export function noEdits(source = "") {
  return { schema: 1, source, locked: [], banned: [], replaced: {} };
}

/**
 * The edits in a widget's value. Without edits if the value is empty or of another schema.
 * @param {unknown} value
 * @returns {Edits}
 */
export function parseEdits(value) {
  let raw = value;
  if (typeof value === "string") {
    try {
      raw = JSON.parse(value);
    } catch {
      return noEdits();
    }
  }
  if (!raw || typeof raw !== "object" || raw.schema !== 1) return noEdits();
  const isIndex = (i) => Number.isInteger(i) && i >= 0;
  const texts = (list) => (Array.isArray(list) ? list.filter((t) => typeof t === "string") : []);
  const pairs = Object.entries(raw.replaced ?? {});
  return {
    schema: 1,
    source: typeof raw.source === "string" ? raw.source : "",
    locked: Array.isArray(raw.locked) ? raw.locked.filter(isIndex) : [],
    banned: [...new Set(texts(raw.banned).map((text) => text.toLowerCase()))],
    replaced: Object.fromEntries(
      pairs.filter(([i, text]) => isIndex(Number(i)) && typeof text === "string" && text),
    ),
  };
}

/** @param {Edits} edits @returns {boolean} */
export function isEmpty(edits) {
  return !edits.locked.length && !edits.banned.length && !Object.keys(edits.replaced).length;
}

/**
 * The widget's value; "" if the edits equal the initial ones.
 * @param {Edits} edits
 * @param {Edits} [start] the initial edits: words of a template are locked
 * @returns {string}
 */
export function serialiseEdits(edits, start = noEdits(edits.source)) {
  return sameEdits(edits, start) ? "" : JSON.stringify(edits);
}

/**
 * The edits that apply to `source`. Indices apply only to their own text; bans apply to every text.
 * @param {Edits} edits
 * @param {string} source
 * @param {number[]} [locked] the words of `source` that are initially locked
 * @returns {Edits}
 */
export function editsFor(edits, source, locked = []) {
  return edits.source === source ? edits : { ...noEdits(source), locked, banned: edits.banned };
}

/** @param {Edits} a @param {Edits} b @returns {boolean} whether both mean the same */
export function sameEdits(a, b) {
  if (isEmpty(a) && isEmpty(b)) return true;
  const key = (e) => [
    e.source,
    [...e.locked].sort(),
    [...e.banned].sort(),
    Object.entries(e.replaced).sort(),
  ];
  return JSON.stringify(key(a)) === JSON.stringify(key(b));
}

/**
 * The state of each word. A banned word is not locked, even if the edits contain both, because it
 * must not return.
 * @param {Word[]} words
 * @param {Edits} edits that apply to these words (`editsFor`)
 * @returns {Mark[]}
 */
export function marksOf(words, edits) {
  const banned = new Set(edits.banned);
  const locked = new Set(edits.locked);
  return words.map((word, i) => {
    const isBanned = banned.has(word.text.toLowerCase());
    const replaced = isBanned ? null : (edits.replaced[String(i)] ?? null);
    return { locked: locked.has(i) && !isBanned, banned: isBanned, replaced };
  });
}

/** @param {Word[]} words @param {Edits} edits @returns {string} the prompt that the node outputs */
export function textOf(words, edits) {
  const marks = marksOf(words, edits);
  let text = "";
  let last = -1;
  words.forEach((word, i) => {
    if (marks[i].banned) return;
    const unchanged = last === i - 1 && !isNew(marks[i]) && !isNew(marks[last]);
    const piece = marks[i].replaced ?? word.text;
    text += (text ? gap(word.before, piece, text, unchanged) : "") + piece;
    last = i;
  });
  return text;
}

/** @param {Mark} [mark] */
const isNew = (mark) => (mark?.replaced ?? null) !== null;

/**
 * The white space between a text and the next piece. Words that an edit brought together are
 * separated, so that they stay separate words.
 */
function gap(before, piece, text, unchanged) {
  const attached = unchanged || (CLOSING.has(piece) && /[\p{L}\p{N}]$/u.test(text));
  return before || (attached ? "" : " ");
}

/**
 * The template that keeps the locked words and learns the others, such as "{3} watermelon {4}".
 * @param {Word[]} words
 * @param {Edits} edits
 * @returns {string}
 */
export function templateOf(words, edits) {
  const marks = marksOf(words, edits);
  let template = "";
  let slot = 0;
  let afterSlot = false;
  const closeSlot = () => {
    if (slot) template += `${template ? " " : ""}{${slot}}`;
    afterSlot ||= slot > 0;
    slot = 0;
  };
  words.forEach((word, i) => {
    const isUnread = !word.tokens.length && !isNew(marks[i]); // an embedding
    if (!marks[i].locked || isUnread) {
      slot += word.tokens.length;
      return;
    }
    closeSlot();
    const text = marks[i].replaced ?? word.text;
    const fixed = text.replaceAll("{", "{{").replaceAll("}", "}}");
    if (afterSlot) template += word.before === "" && CLOSING.has(text) ? "" : " ";
    else if (template) {
      const unchanged = !isNew(marks[i]) && !isNew(marks[i - 1]);
      template += gap(word.before, fixed, template, unchanged);
    }
    template += fixed;
    afterSlot = false;
  });
  closeSlot();
  return template;
}

/**
 * The banned words as the node's `ban` widget reads them. `,`, `*` and `\` are escaped.
 * @param {Edits} edits
 * @returns {string}
 */
export function banOf(edits) {
  return edits.banned.map((word) => word.replace(/[\\,*]/g, "\\$&")).join(", ");
}

/** @param {string} ban a list of bans @returns {string[]} its entries, still escaped */
export function splitBans(ban) {
  const entries = ban.match(/(?:\\.|[^,\n\\])+/g) ?? [];
  return entries.map((entry) => entry.trim()).filter(Boolean);
}

/** @param {Edits} edits @param {number} i @param {Word[]} words @returns {Edits} */
export function toggleLock(edits, i, words) {
  const isLocked = marksOf(words, edits)[i].locked;
  const others = edits.locked.filter((j) => j !== i);
  if (isLocked) return { ...edits, locked: others };
  const text = words[i].text.toLowerCase(); // locking a banned word allows it again
  const banned = edits.banned.filter((b) => b !== text);
  return { ...edits, banned, locked: [...others, i].sort((a, b) => a - b) };
}

/** @param {Edits} edits @param {number} i @param {Word[]} words @returns {Edits} */
export function toggleBan(edits, i, words) {
  const text = words[i].text.toLowerCase();
  const others = edits.banned.filter((b) => b !== text);
  if (others.length < edits.banned.length) return { ...edits, banned: others };
  const locked = edits.locked.filter((j) => words[j]?.text.toLowerCase() !== text);
  return { ...edits, locked, banned: [...others, text] };
}

/**
 * @param {Edits} edits @param {number} i @param {string | null} text null removes the replacement
 * @returns {Edits}
 */
export function replaceWord(edits, i, text) {
  const { [String(i)]: _old, ...others } = edits.replaced;
  // The next search must keep a chosen word as well.
  const unlocked = edits.locked.filter((j) => j !== i);
  if (text === null) return { ...edits, locked: unlocked, replaced: others };
  const locked = [...unlocked, i].sort((a, b) => a - b);
  return { ...edits, locked, replaced: { ...others, [String(i)]: text } };
}
