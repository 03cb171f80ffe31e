// What a person did to the words of a prompt in the Token Viewer: locked, banned, replaced.
// Pure. The same rules are in pez_core/edits.py; tests/fixtures/edits.json checks both.

/**
 * @typedef {{id: number, text: string, contribution?: number | null}} Token
 * @typedef {{before: string, text: string, tokens: Token[],
 *            alternatives?: {text: string, similarity: number}[],
 *            pulls?: Record<string, number>}} Word
 *          pulls: by how much it is nearer to each concept of the guard because of this word
 * @typedef {{schema: 1, source: string, locked: number[], banned: string[],
 *            replaced: Record<string, string>}} Edits  indices are those of the words of `source`;
 *          bans are lower case
 * @typedef {{locked: boolean, banned: boolean, replaced: string | null}} Mark
 */

// Behind a slot only these stay attached: "{3}, cat" reads well, "{3}cat" would glue two words.
const CLOSING = new Set([",", ".", ";", ":", "!", "?"]);

/** @returns {Edits} */
export function noEdits(source = "") {
  return { schema: 1, source, locked: [], banned: [], replaced: {} };
}

/**
 * The edits in a widget's value; nothing edited where the value is empty or not ours.
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
 * The widget's value; "" while nothing differs from how the words start.
 * @param {Edits} edits
 * @param {Edits} [start] words of a template are locked from the start
 * @returns {string}
 */
export function serialiseEdits(edits, start = noEdits(edits.source)) {
  return sameEdits(edits, start) ? "" : JSON.stringify(edits);
}

/**
 * The edits that hold for `source`: indices of another text mean nothing here, bans always hold.
 * @param {Edits} edits
 * @param {string} source
 * @param {number[]} [locked] the words of `source` that are locked from the start
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
 * What holds for each word. A banned word is not locked, even where the edits say both: it may not
 * come back.
 * @param {Word[]} words
 * @param {Edits} edits already those for these words (`editsFor`)
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

/** @param {Word[]} words @param {Edits} edits @returns {string} the prompt that is passed on */
export function textOf(words, edits) {
  const marks = marksOf(words, edits);
  let text = "";
  let last = -1;
  words.forEach((word, i) => {
    if (marks[i].banned) return;
    const asItStood = last === i - 1 && !isNew(marks[i]) && !isNew(marks[last]);
    const piece = marks[i].replaced ?? word.text;
    text += (text ? gap(word.before, piece, text, asItStood) : "") + piece;
    last = i;
  });
  return text;
}

/** @param {Mark} [mark] */
const isNew = (mark) => (mark?.replaced ?? null) !== null;

/**
 * What goes between a text and the next piece. Words that have come next to each other are kept
 * apart, so that they stay the words they were.
 */
function gap(before, piece, text, asItStood) {
  const attached = asItStood || (CLOSING.has(piece) && /[\p{L}\p{N}]$/u.test(text));
  return before || (attached ? "" : " ");
}

/**
 * The template that keeps the locked words and learns the others anew, such as "{3} watermelon {4}".
 * @param {Word[]} words
 * @param {Edits} edits
 * @returns {string}
 */
export function templateOf(words, edits) {
  const marks = marksOf(words, edits);
  let template = "";
  let slot = 0;
  let behindSlot = false;
  const closeSlot = () => {
    if (slot) template += `${template ? " " : ""}{${slot}}`;
    behindSlot ||= slot > 0;
    slot = 0;
  };
  words.forEach((word, i) => {
    if (!marks[i].locked) {
      slot += word.tokens.length;
      return;
    }
    closeSlot();
    const text = marks[i].replaced ?? word.text;
    const fixed = text.replaceAll("{", "{{").replaceAll("}", "}}");
    if (behindSlot) template += word.before === "" && CLOSING.has(text) ? "" : " ";
    else if (template) {
      const asItStood = !isNew(marks[i]) && !isNew(marks[i - 1]);
      template += gap(word.before, fixed, template, asItStood);
    }
    template += fixed;
    behindSlot = false;
  });
  closeSlot();
  return template;
}

/**
 * The banned words as the node's `ban` widget takes them, where `,`, `*` and `\` mean something.
 * @param {Edits} edits
 * @returns {string}
 */
export function banOf(edits) {
  return edits.banned.map((word) => word.replace(/[\\,*]/g, "\\$&")).join(", ");
}

/** @param {string} ban a list of bans @returns {string[]} its entries, as written there */
export function splitBans(ban) {
  const entries = ban.match(/(?:\\.|[^,\n\\])+/g) ?? [];
  return entries.map((entry) => entry.trim()).filter(Boolean);
}

/** @param {Edits} edits @param {number} i @param {Word[]} words @returns {Edits} */
export function toggleLock(edits, i, words) {
  const isLocked = marksOf(words, edits)[i].locked;
  const others = edits.locked.filter((j) => j !== i);
  if (isLocked) return { ...edits, locked: others };
  const text = words[i].text.toLowerCase(); // to lock a banned word is to want it after all
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
 * @param {Edits} edits @param {number} i @param {string | null} text null takes the replacement back
 * @returns {Edits}
 */
export function replaceWord(edits, i, text) {
  const { [String(i)]: _old, ...others } = edits.replaced;
  // A word that was chosen is to be kept by the next search as well.
  const unlocked = edits.locked.filter((j) => j !== i);
  if (text === null) return { ...edits, locked: unlocked, replaced: others };
  const locked = [...unlocked, i].sort((a, b) => a - b);
  return { ...edits, locked, replaced: { ...others, [String(i)]: text } };
}
