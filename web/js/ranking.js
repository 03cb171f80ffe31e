// The view of the Prompt Ranker. Pure rendering, as in chips.js.

import { finishButton } from "./chips.js";
import { button, el } from "./dom.js";
import { editedLines } from "./edited.js";
import { said, t } from "./language.js";
import { withoutIt } from "./popup.js";
import { asSeconds } from "./words.js";

/**
 * @typedef {{prompt: string, error: number, low: number, high: number, passes: number,
 *            words?: {text: string, adds: number | null}[]}} Ranked
 *          words: with what each adds, if that was measured
 * @typedef {{text: string, ranking: Ranked[], certainty: string, step: number, total: number,
 *            passes: number, seconds: number, stopped: string, phase?: string,
 *            edited?: import("./edited.js").Edited | null}} Ranking
 */

const STOPPED = {
  "one left": () => t("decided"),
  rounds: () => t("all rounds done"),
  seconds: () => t("time limit reached"),
  stopped: () => t("stopped by you"),
  interrupted: () => t("interrupted, ranking so far"),
  error: () => t("ended with an error, ranking so far"),
  lost: () => t("connection lost, ranking so far"),
};

/**
 * A row for each prompt: its error, its interval on a common scale, and its text.
 * @param {Ranked[]} ranking best first
 * @param {(text: string, from: HTMLElement) => void} onCopy
 * @returns {HTMLElement}
 */
export function rankedRows(ranking, onCopy) {
  const all = ranking.flatMap(({ low, high, error }) => [low, high, error]).filter(Number.isFinite);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  // Without a difference every prompt stands in the middle.
  const place = (value) => (most > least ? (100 * (value - least)) / (most - least) : 50);
  const added = ranking.flatMap(({ words = [] }) => words.map(({ adds }) => Math.abs(adds ?? 0)));
  const largest = Math.max(0, ...added);
  const rows = ranking.map(({ prompt, error, low, high, passes, words = [] }) => {
    const interval = { left: `${place(low)}%`, width: `${place(high) - place(low)}%` };
    const typed = words.length ? `${prompt}\n` : "";
    const title = `${typed}${t("{passes} passes of the model. Click to copy", { passes })}`;
    const row = button("", () => onCopy(prompt, row), { class: "pez-candidate pez-ranked", title });
    row.append(
      el("span", { class: "pez-similarity", text: error.toFixed(3) }),
      el("span", { class: "pez-scale", "aria-hidden": "true" }, [
        el("span", { class: "pez-interval", style: interval }),
        el("span", { class: "pez-dot", style: { left: `${place(error)}%` } }),
      ]),
      words.length
        ? el("span", { class: "pez-grow" }, shadedWords(words, largest))
        : el("span", { class: "pez-grow", text: prompt }),
    );
    return el("li", {}, [row]);
  });
  return el("ol", { class: "pez-candidates" }, rows);
}

/** The words of a prompt in shades of what they add; the strongest shade is that of `largest`. */
function shadedWords(words, largest) {
  return words.map(({ text, adds }) => {
    if (!Number.isFinite(adds) || !largest) return el("span", { text });
    const strength = { "--pez-strength": `${((60 * Math.abs(adds)) / largest).toFixed(0)}%` };
    const kind = adds < 0 ? "pez-word-harms" : "pez-word-helps";
    return el("span", { class: kind, style: strength, title: withoutIt(adds, true), text });
  });
}

/**
 * The view of a running ranking, which is updated in place.
 * @param {() => Promise<boolean>} onFinish ends it with the ranking so far; false if it fails
 * @param {(text: string, from: HTMLElement) => void} onCopy
 * @returns {{element: HTMLElement, update(found: Ranking): void}}
 */
export function runningRanking(onFinish, onCopy) {
  const bar = el("div", { class: "pez-bar-done" });
  const rows = el("div");
  const facts = el("span", { class: "pez-quiet pez-grow" });
  const element = el("div", { class: "pez-view pez-running" }, [
    el("div", { class: "pez-bar" }, [bar]),
    rows,
    el("div", { class: "pez-line" }, [facts, finishButton(onFinish)]),
  ]);
  return {
    element,
    update(found) {
      const share = found.total > 0 ? Math.min(1, found.step / found.total) : 0;
      bar.style.setProperty("width", `${(100 * share).toFixed(1)}%`);
      facts.textContent = `${roundText(found)} · ${asSeconds(found.seconds)}`;
      rows.replaceChildren(rankedRows(found.ranking, onCopy));
    },
  };
}

function roundText({ phase, step, total }) {
  return phase === "edit"
    ? t("editing, round {step} of at most {total}", { step, total })
    : t("round {step} of at most {total}", { step, total });
}

/**
 * The view of a finished ranking.
 * @param {Ranking} found
 * @param {(text: string, from: HTMLElement) => void} onCopy
 * @returns {HTMLElement}
 */
export function rankingView(found, onCopy) {
  const facts = [
    STOPPED[found.stopped]?.() ?? String(found.stopped ?? ""),
    t("{passes} passes", { passes: found.passes }),
    asSeconds(found.seconds),
  ];
  const many = found.ranking.length > 1;
  return el("div", { class: "pez-view pez-ranking" }, [
    rankedRows(found.ranking, onCopy),
    many ? el("div", { class: "pez-note", text: `${said(found.certainty)}.` }) : null,
    found.ranking[0]?.error >= 1 && found.ranking[0].prompt
      ? el("div", { class: "pez-warning", text: t("None of them helps the model.") })
      : null,
    editedLines(found.edited, onCopy),
    el("div", { class: "pez-quiet", text: facts.filter(Boolean).join(" · ") }),
    el("div", { class: "pez-quiet", text: t("The error is a share of that without words.") }),
    found.ranking.some(({ words }) => words?.length)
      ? el("div", { class: "pez-quiet", text: t("Green words help, underlined ones harm.") })
      : null,
  ]);
}
