// The views of Image→Hard Prompt and the Prompt Mixer: a hint, the running search, the learned
// prompt. Pure rendering: the functions return elements, and callers pass the actions of buttons.

import { button, el } from "./dom.js";
import { editedLines } from "./edited.js";
import { guardLines } from "./guard.js";
import { said, t } from "./language.js";
import { asSeconds, asSimilarity, stoppedInWords } from "./words.js";

/**
 * @typedef {{id: number, text: string, ends_word: boolean, fixed: boolean}} LearnedToken
 * @typedef {{step: number, total: number, seconds: number, phase: string, similarity: number,
 *            text: string, tokens: LearnedToken[]}} Progress
 * @typedef {{text: string, similarity: number, tokens: LearnedToken[], stopped: string,
 *            candidates: {text: string, similarity: number}[], steps: number, seconds: number,
 *            model: string, note: string, passed_on?: string, guard?: import("./guard.js").Kept[],
 *            edited?: import("./edited.js").Edited | null}} Learned
 */

const PAINTER_AT_WORK = {
  choose: () => t("the model you paint with is choosing"),
  edit: () => t("the model you paint with tries other words"),
};

/** @param {string} text @returns {HTMLElement} the text of an empty panel */
export function hint(text) {
  return el("div", { class: "pez-hint", text });
}

/**
 * The tokens as chips in two alternating shades, as in Figure 1 of the paper. Tokens of one word
 * touch. Words of the template, which are not learned, are underlined.
 * @param {LearnedToken[]} tokens
 * @returns {HTMLElement}
 */
export function chipRow(tokens) {
  const row = el("div", { class: "pez-chips", role: "list", "aria-label": t("tokens") });
  let word = null;
  tokens.forEach((token, i) => {
    word ??= row.appendChild(el("span", { class: "pez-word", role: "listitem" }));
    const kind = token.fixed ? " pez-fixed" : "";
    const title = token.fixed
      ? t("token {id}, of the template", { id: token.id })
      : t("token {id}", { id: token.id });
    const shade = `pez-chip pez-shade-${i % 2}${kind}`;
    word.appendChild(el("span", { class: shade, text: token.text, title }));
    if (token.ends_word) word = null;
  });
  return row;
}

/**
 * The button that ends a run with the best so far.
 * @param {() => Promise<boolean>} onFinish false if it fails
 * @returns {HTMLButtonElement}
 */
export function finishButton(onFinish) {
  const finish = button(t("Use best so far"), async () => {
    finish.disabled = true;
    finish.textContent = t("finishing…");
    if (await onFinish()) return;
    finish.disabled = false;
    finish.textContent = t("Use best so far");
  });
  return finish;
}

/**
 * The view of a running search. It is updated in place: a button that is replaced between mouse
 * down and mouse up loses the click.
 * @param {() => Promise<boolean>} onFinish ends the search with the best so far; false if it fails
 * @returns {{element: HTMLElement, update(progress: Progress): void}}
 */
export function runningView(onFinish) {
  const bar = el("div", { class: "pez-bar-done" });
  const chips = el("div");
  const similarity = el("span", { class: "pez-similarity" });
  const steps = el("span", { class: "pez-quiet pez-grow" });
  const finish = finishButton(onFinish);
  const element = el("div", { class: "pez-view pez-running" }, [
    el("div", { class: "pez-bar" }, [bar]),
    chips,
    el("div", { class: "pez-line" }, [similarity, steps, finish]),
  ]);
  let shown = "";
  return {
    element,
    update(progress) {
      const share = progress.total > 0 ? Math.min(1, progress.step / progress.total) : 0;
      bar.style.setProperty("width", `${(100 * share).toFixed(1)}%`);
      similarity.textContent = asSimilarity(progress.similarity);
      const now = PAINTER_AT_WORK[progress.phase]?.() ?? stepText(progress);
      steps.textContent = `${t("similarity")} · ${now} · ${asSeconds(progress.seconds)}`;
      const key = JSON.stringify(progress.tokens);
      if (key === shown) return;
      shown = key;
      chips.replaceChildren(chipRow(progress.tokens));
    },
  };
}

function stepText({ phase, step, total }) {
  return phase === "refine"
    ? t("refining, step {step} of {total}", { step, total })
    : t("step {step} of {total}", { step, total });
}

/**
 * The view of a finished search.
 * @param {Learned} learned
 * @param {(text: string, from: HTMLElement) => void} onCopy
 * @returns {HTMLElement}
 */
export function learnedView(learned, onCopy) {
  const facts = [
    t("similarity"),
    stoppedInWords(learned.stopped),
    learned.steps ? t("{steps} steps", { steps: learned.steps }) : "",
    asSeconds(learned.seconds),
    learned.model,
  ];
  const copy = button(t("Copy"), () => onCopy(learned.text, copy), {
    title: t("Copy the prompt, escaped for a prompt box"),
  });
  const others = (learned.candidates ?? []).filter((other) => other.text !== learned.text);
  return el("div", { class: "pez-view pez-learned" }, [
    chipRow(learned.tokens),
    el("div", { class: "pez-line" }, [
      el("span", { class: "pez-similarity", text: asSimilarity(learned.similarity) }),
      el("span", { class: "pez-quiet pez-grow", text: facts.filter(Boolean).join(" · ") }),
      copy,
    ]),
    guardLines(learned.guard),
    learned.note ? el("div", { class: "pez-note", text: said(learned.note) }) : null,
    editedLines(learned.edited, onCopy),
    others.length ? candidateList(others, onCopy) : null,
  ]);
}

function candidateList(candidates, onCopy) {
  const items = candidates.map((candidate) => {
    const item = button("", () => onCopy(candidate.text, item), {
      class: "pez-candidate",
      title: t("Click to copy"),
    });
    item.append(
      el("span", { class: "pez-similarity", text: asSimilarity(candidate.similarity) }),
      el("span", { class: "pez-grow", text: candidate.text }),
    );
    return el("li", {}, [item]);
  });
  return el("div", {}, [
    el("div", { class: "pez-heading", text: t("Other candidates, with their similarity") }),
    el("ul", { class: "pez-candidates" }, items),
  ]);
}
