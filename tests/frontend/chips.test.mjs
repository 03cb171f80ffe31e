// What the panels of Image→Hard Prompt and the Prompt Mixer show.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { chipRow, hint, learnedView, runningView } from "../../web/js/chips.js";
import { click, newDocument } from "./fake_page.mjs";

beforeEach(newDocument);

const token = (id, text, ends_word = true, fixed = false) => ({ id, text, ends_word, fixed });
const TOKENS = [
  token(1, "a", true, true),
  token(2, "water", false),
  token(3, "melon"),
  token(4, "x"),
];
const LEARNED = {
  text: "a watermelon x",
  similarity: 0.2392,
  tokens: TOKENS,
  candidates: [
    { text: "a watermelon x", similarity: 0.2392 },
    { text: "a melon", similarity: 0.2 },
  ],
  stopped: "user",
  steps: 163,
  seconds: 2.31,
  model: "demo",
  note: "",
};

test("tokens alternate in shade, pieces of one word are together", () => {
  const row = chipRow(TOKENS);
  const shades = [...row.querySelectorAll(".pez-chip")].map(
    (c) => c.className.match(/shade-(\d)/)[1],
  );
  assert.deepEqual(shades, ["0", "1", "0", "1"]);
  const words = [...row.querySelectorAll(".pez-word")].map((word) => word.textContent);
  assert.deepEqual(words, ["a", "watermelon", "x"]);
  assert.equal(row.querySelectorAll(".pez-fixed").length, 1);
});

test("a last token that does not end its word is shown all the same", () => {
  const row = chipRow([token(1, "wa", false)]);
  assert.equal(row.textContent, "wa");
  assert.equal(chipRow([]).children.length, 0);
});

test("HTML is text", () => {
  const row = chipRow([token(1, `<img src=x onerror="alert(1)">`)]);
  assert.equal(row.querySelector("img"), null);
  assert.equal(row.textContent, `<img src=x onerror="alert(1)">`);
  assert.equal(hint("<b>x</b>").children.length, 0);
});

test("edits that the painter took are below the prompt", () => {
  const pieces = [{ text: "a", kind: "same" }, { text: " cat", kind: "gone" }];
  const edited = { edits: [{ prompt: "a", gain: 0.01, pieces }], reason: "edits" };
  const view = learnedView({ ...LEARNED, edited }, () => {});
  assert.match(view.querySelector(".pez-edited").textContent, /Edited by the model.*−0\.010a cat/);
  assert.equal(learnedView(LEARNED, () => {}).querySelector(".pez-edited"), null);
});

test("after the search it says what the painter does", () => {
  const view = runningView(() => Promise.resolve(true));
  const told = (phase) => {
    view.update({ ...LEARNED, step: 9, total: 9, phase });
    return view.element.textContent;
  };
  assert.match(told("choose"), /the model you paint with is choosing · 2\.3 s/);
  assert.match(told("edit"), /tries other words/);
  assert.match(told("refine"), /refining, step 9 of 9/);
});

test("the learned prompt: why it stopped, the others, what a click copies", () => {
  const copied = [];
  const view = learnedView(LEARNED, (text) => copied.push(text));
  assert.match(view.textContent, /stopped by you · 163 steps · 2\.3 s · demo/);
  assert.equal(view.querySelector(".pez-note"), null);
  const others = [...view.querySelectorAll(".pez-candidate")];
  assert.equal(others.length, 1, "the prompt itself is not listed again");
  click(others[0]);
  click([...view.querySelectorAll("button")].find((b) => b.textContent === "Copy"));
  assert.deepEqual(copied, ["a melon", "a watermelon x"]);
  const noted = learnedView({ ...LEARNED, note: "4 restarts were used" }, () => {});
  assert.equal(noted.querySelector(".pez-note").textContent, "4 restarts were used");
});

test("the running view keeps its button, and ends once", async () => {
  let answer;
  let calls = 0;
  const view = runningView(() => {
    calls += 1;
    return new Promise((resolve) => {
      answer = resolve;
    });
  });
  const progress = { ...LEARNED, step: 40, total: 160, phase: "pez" };
  view.update(progress);
  const button = view.element.querySelector("button");
  assert.match(view.element.textContent, /0\.239similarity · step 40 of 160 · 2\.3 s/);
  assert.equal(
    view.element.querySelector(".pez-bar-done").style.getPropertyValue("width"),
    "25.0%",
  );
  view.update({ ...progress, step: 170, phase: "refine", tokens: [] });
  assert.match(view.element.textContent, /refining, step 170/);
  assert.equal(
    view.element.querySelector(".pez-bar-done").style.getPropertyValue("width"),
    "100.0%",
  );
  assert.equal(view.element.querySelectorAll(".pez-chip").length, 0);
  assert.equal(view.element.querySelector("button"), button);
  click(button);
  assert.deepEqual([button.disabled, button.textContent], [true, "finishing…"]);
  answer(false);
  await new Promise(setImmediate);
  assert.deepEqual([button.disabled, button.textContent, calls], [false, "Use best so far", 1]);
  click(button);
  answer(true);
  await new Promise(setImmediate);
  assert.equal(button.disabled, true);
});

test("what a learned prompt keeps away from, and where it could not", () => {
  const kept = (concept, near) => ({ concept, similarity: 0.4, threshold: 0.39, near });
  const lines = (guard) =>
    [...learnedView({ ...LEARNED, guard }, () => {}).querySelectorAll(".pez-guard > *")].map(
      (line) => [line.className, line.textContent.split(" (")[0]],
    );
  assert.deepEqual(lines([kept("text", false)]), [["pez-quiet", "Keeps away from “text”"]]);
  assert.deepEqual(lines([kept("text", true)]), [["pez-warning", "Too near to “text”"]]);
  const unknown = ["pez-warning", "Not known to this CLIP: “nude”"];
  assert.deepEqual(lines([{ ...kept("nude", false), known: false }]), [unknown]);
  const said = { ...kept("nude", false), known: false, says: ["nude"] };
  assert.deepEqual(lines([said]), [["pez-warning", "Says outright “nude”"], unknown]);
  const text = learnedView({ ...LEARNED, guard: [said] }, () => {}).textContent;
  assert.match(text, /Says outright “nude” \(0\.400\)/, "it has no threshold");
  assert.deepEqual(lines([]), []);
  assert.deepEqual(lines(undefined), [], "saved before there was a guard");
});
