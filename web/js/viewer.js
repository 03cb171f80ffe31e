// The view of the Token Viewer: the words of a prompt with their contributions and edits. Pure
// rendering: the functions return elements, and callers pass the actions of clicks.

import { button, el } from "./dom.js";
import { banOf, editsFor, marksOf, parseEdits, sameEdits, textOf } from "./edits.js";
import { faults, guardLines } from "./guard.js";
import { said, t } from "./language.js";
import { unread, asError, asSimilarity, ofEach } from "./words.js";

/**
 * @typedef {{source: string, text: string, similarity: number | null, error?: number | null,
 *            similarities?: Object<string, number>, compared_with: string | null,
 *            guard?: import("./guard.js").Kept[],
 *            words: import("./edits.js").Word[], chunk: number,
 *            counts: {encoder: string, tokens: number}[], exact: boolean, exact_text: string,
 *            edits?: object}} Viewed
 *          similarities: by encoder if there are several; undefined in older workflows
 *          error: the painter's, if there is one
 * @typedef {{onWord(index: number, chip: HTMLElement): void,
 *            onHover(index: number | null, chip: HTMLElement): void,
 *            onReset: (() => void) | null, onSend: (() => void) | null}} Actions
 *          onReset: null without edits; onSend: null without a node to send to
 */

const LOCK = "M2 5V3.5a3 3 0 0 1 6 0V5h1v7H1V5zm1.5 0h3V3.5a1.5 1.5 0 0 0-3 0z";

/**
 * @param {Viewed} viewed
 * @param {import("./edits.js").Edits} edits that apply to this source
 * @param {Actions} actions
 * @returns {HTMLElement}
 */
export function viewedView(viewed, edits, actions) {
  // The numbers are those of the last run. Later edits are not measured yet.
  const ran = editsFor(parseEdits(viewed.edits), viewed.source);
  const isOld = !sameEdits(edits, ran);
  return el("div", { class: "pez-view pez-viewed" }, [
    viewed.words.length
      ? wordRow(viewed, edits, actions)
      : el("div", { class: "pez-hint", text: t("The prompt is empty: type one, or connect one.") }),
    scoreLine(viewed, isOld),
    isOld ? nextText(textOf(viewed.words, edits)) : null,
    guardLines(viewed.guard),
    bansLine(viewed.words, edits),
    !viewed.exact && !isOld ? warning(viewed.exact_text) : null,
    toolLine(actions),
  ]);
}

/**
 * The view before the first run: a hint, and the bans, which apply to every text.
 * @param {string} text
 * @param {import("./edits.js").Edits} edits
 * @param {Pick<Actions, "onReset">} actions
 * @returns {HTMLElement}
 */
export function unknownWords(text, edits, actions) {
  const bans = edits.banned.length ? t("Banned: {words}", { words: banOf(edits) }) : "";
  return el("div", { class: "pez-view" }, [
    el("div", { class: "pez-hint", text }),
    bans ? el("div", { class: "pez-quiet", text: bans }) : null,
    toolLine({ ...actions, onSend: null }),
  ]);
}

/** The bans of words that are not in this prompt. They apply as well. */
function bansLine(words, edits) {
  const here = new Set(words.map((word) => word.text.toLowerCase()));
  const banned = edits.banned.filter((text) => !here.has(text));
  if (!banned.length) return null;
  const text = t("Also banned: {words}", { words: banOf({ ...edits, banned }) });
  return el("div", { class: "pez-quiet", text });
}

function scoreLine(viewed, isOld) {
  const what = said(viewed.compared_with ?? "");
  const compared = what ? t("similarity to {what}", { what }) : t("similarity");
  const counts = viewed.counts.map((c) => t("{encoder}: {tokens} tokens", c)).join(" · ");
  const scored = Number.isFinite(viewed.similarity);
  const painted = Number.isFinite(viewed.error);
  const parts = [
    scored ? `${compared}${ofEach(viewed.similarities)}` : "",
    painted ? t("{error} of that without words", { error: asError(viewed.error) }) : "",
    counts,
  ];
  const facts = parts.filter(Boolean).join(" · ");
  return el("div", { class: "pez-line" }, [
    scored
      ? el("span", { class: "pez-similarity", text: asSimilarity(viewed.similarity) })
      : null,
    el("span", { class: "pez-quiet pez-grow", text: facts }),
    isOld ? el("span", { class: "pez-quiet pez-old", text: t("numbers of the last run") }) : null,
  ]);
}

function nextText(text) {
  return el("div", { class: "pez-next pez-quiet", text: t("The next run passes on: {text}", { text }) });
}

function warning(exactText) {
  const text = t("ComfyUI reads this text as “{text}”", { text: exactText });
  return el("div", { class: "pez-warning", role: "note", text });
}

function toolLine({ onReset, onSend }) {
  if (!onReset && !onSend) return null;
  const reset = button(t("Reset edits"), () => onReset?.());
  reset.disabled = !onReset;
  const title = t("Set template and bans of the Image→Hard Prompt node that this prompt comes from");
  return el("div", { class: "pez-line" }, [
    reset,
    onSend ? button(t("Send to node"), onSend, { title }) : null,
  ]);
}

function wordRow(viewed, edits, actions) {
  const marks = marksOf(viewed.words, edits);
  const near = faults(viewed.guard, viewed.words, marks);
  const numbers = viewed.words.flatMap((w) => w.tokens.map((t) => Math.abs(t.contribution ?? 0)));
  const largest = Math.max(0, ...numbers);
  const row = el("div", { class: "pez-chips", role: "group", "aria-label": t("words") });
  let shade = 0;
  let count = 0; // of tokens before this one in the output
  viewed.words.forEach((word, i) => {
    const pieces = word.tokens.map((token) => {
      const isBorder = !marks[i].banned && count > 0 && count % viewed.chunk === 0;
      if (!marks[i].banned) count += 1;
      return { token, shade: shade++ % 2, isBorder, largest };
    });
    if (pieces[0]?.isBorder) {
      pieces[0].isBorder = false;
      row.appendChild(el("div", { class: "pez-border", text: borderText(count, viewed.chunk) }));
    }
    row.appendChild(wordChip(word, i, marks[i], near[i], pieces, actions));
  });
  return row;
}

function borderText(count, chunk) {
  return t("{tokens} tokens: a new chunk begins", { tokens: Math.floor(count / chunk) * chunk });
}

function wordChip(word, index, mark, near, pieces, actions) {
  const state = [
    mark.locked && { kind: "locked", said: t("locked") },
    mark.banned && { kind: "banned", said: t("banned") },
    mark.replaced !== null && { kind: "replaced", said: t("replaced") },
  ].filter((one) => one !== false);
  const kinds = [...state.map(({ kind }) => kind), ...(near.length ? ["near"] : [])];
  const attached = index > 0 && word.before === "" ? "pez-attached" : "";
  const chip = el(
    "button",
    {
      type: "button",
      class: ["pez-token-word", attached, ...kinds.map((s) => `pez-${s}`)]
        .filter(Boolean)
        .join(" "),
      "aria-label": [
        word.text,
        ...state.map((one) => one.said),
        ...near.map((concept) => t("near {concept}", { concept })),
      ].join(", "),
      "aria-haspopup": "menu",
      data: { word: index },
      on: {
        click: () => actions.onWord(index, chip),
        pointerenter: () => actions.onHover(index, chip),
        pointerleave: () => actions.onHover(null, chip),
        // Only for the keyboard: after a click the card would cover the menu.
        focus: () => chip.matches?.(":focus-visible") && actions.onHover(index, chip),
        blur: () => actions.onHover(null, chip),
      },
    },
    [
      el("span", { class: "pez-row" }, [
        mark.locked ? lockIcon() : null,
        el("span", { class: "pez-word" }, pieces.length ? pieces.map(pieceChip) : unreadChip(word)),
        mark.replaced !== null ? el("span", { text: "→" }) : null,
        mark.replaced !== null ? el("span", { class: "pez-new", text: mark.replaced }) : null,
      ]),
    ],
  );
  return chip;
}

/** A word without tokens: the name of an embedding. */
function unreadChip(word) {
  return [el("span", { class: "pez-chip pez-quiet", text: word.text, title: unread() })];
}

function pieceChip({ token, shade, isBorder, largest }) {
  const border = isBorder ? " pez-border-in" : "";
  return el("span", { class: "pez-piece" }, [
    el("span", {
      class: `pez-chip pez-shade-${shade}${border}`,
      text: token.text,
      title: isBorder ? t("a new chunk begins here") : null,
    }),
    contributionBar(token.contribution, largest),
  ]);
}

function contributionBar(value, largest) {
  if (!Number.isFinite(value)) return null;
  const width = largest > 0 ? (100 * Math.abs(value)) / largest : 0;
  return el("span", { class: "pez-contribution" }, [
    el("i", {
      class: value < 0 ? "pez-harms" : "pez-helps",
      style: { width: `${width.toFixed(0)}%` },
    }),
  ]);
}

function lockIcon() {
  const names = "http://www.w3.org/2000/svg";
  const icon = document.createElementNS(names, "svg");
  icon.setAttribute("class", "pez-lock");
  icon.setAttribute("viewBox", "0 0 10 12");
  icon.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(names, "path");
  path.setAttribute("d", LOCK);
  icon.appendChild(path);
  return icon;
}
