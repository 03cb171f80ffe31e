// What the Token Viewer shows, and what a click on a word offers.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { marksOf, noEdits, replaceWord, toggleBan, toggleLock } from "../../web/js/edits.js";
import { faults } from "../../web/js/guard.js";
import { withoutIt, wordCard, wordMenu } from "../../web/js/popup.js";
import { unknownWords, viewedView } from "../../web/js/viewer.js";
import { click, fire, newDocument } from "./fake_page.mjs";

beforeEach(newDocument);

const word = (text, before, contributions, start = 0) => ({
  before,
  text,
  tokens: contributions.map((contribution, i) => ({
    id: start + i,
    text: `${text}${i}`,
    contribution,
  })),
  alternatives: [{ text: "melon", similarity: 0.2 }],
});
const WORDS = [
  word("a", "", [0.01]),
  word("lady", " ", [-0.031, 0.02], 5),
  word(",", "", [null], 9),
];
const VIEWED = {
  source: "a lady,",
  text: "a lady,",
  similarity: 0.21,
  compared_with: "the picture",
  words: WORDS,
  chunk: 75,
  counts: [{ encoder: "CLIP-L", tokens: 4 }],
  exact: true,
  exact_text: "",
  edits: {},
};
const NONE = { onWord() {}, onHover() {}, onReset: null, onSend: null };
const plain = noEdits(VIEWED.source);
const chipsOf = (view) => [...view.querySelectorAll(".pez-token-word")];

test("nothing edited: numbers, counts, no warning, nothing to reset", () => {
  const view = viewedView(VIEWED, plain, NONE);
  assert.match(view.textContent, /0\.210similarity to the picture · CLIP-L: 4 tokens/);
  assert.equal(view.querySelectorAll(".pez-warning, .pez-old, .pez-button").length, 0);
  assert.ok(chipsOf(view)[2].className.includes("pez-attached"));
});

test("each encoder's similarity stands beside the mean, where there are several", () => {
  const similarities = { "CLIP-L": 0.1934, "CLIP-G": -0.2266 };
  const view = viewedView({ ...VIEWED, similarities }, plain, NONE);
  assert.match(
    view.textContent,
    /^a.*0\.210similarity to the picture \(CLIP-L 0\.193, CLIP-G -0\.227\) · CLIP-L: 4 tokens$/,
  );
  for (const one of [{ similarities: {} }, { similarities, similarity: null }]) {
    assert.doesNotMatch(viewedView({ ...VIEWED, ...one }, plain, NONE).textContent, /\(/);
  }
});

test("a painter's error, and the errors with other words", () => {
  const other = { text: "melon", similarity: 0.2, error: 0.8716 };
  const words = [{ ...WORDS[0], alternatives: [other] }];
  const view = viewedView({ ...VIEWED, words, similarity: null, error: 0.9124 }, plain, NONE);
  assert.match(view.textContent, /error 0\.912 of that without words · CLIP-L: 4 tokens$/);
  assert.match(wordCard(words[0], true).textContent, /error \+0\.010 without it.*melon {2}error 0\.872/);
  assert.match(wordMenu(words[0], marksOf(words, plain)[0], {}).textContent, /melonerror 0\.872/);
  const both = viewedView({ ...VIEWED, error: 0.9124 }, plain, NONE).textContent;
  assert.match(both, /0\.210similarity to the picture · error 0\.912 of that without words · CLIP/);
  for (const error of [null, undefined]) {
    assert.doesNotMatch(viewedView({ ...VIEWED, error }, plain, NONE).textContent, /error/);
  }
});

test("what it keeps away from, what it is too near to, and the words at fault", () => {
  const near = { concept: "<b>a person</b>", similarity: 0.5217, threshold: 0.3932, near: true };
  const clear = { concept: "text", similarity: 0.1204, threshold: 0.3512, near: false };
  const pull = (amount) => ({ [near.concept]: amount, text: 0.5 });
  const words = [0.02, 0.31, 0.16].map((amount, i) => ({ ...WORDS[i], pulls: pull(amount) }));
  const view = viewedView({ ...VIEWED, words, guard: [clear, near] }, plain, NONE);
  const lines = [...view.querySelectorAll(".pez-guard > *")];
  assert.deepEqual(
    lines.map((line) => [line.className, line.textContent]),
    [
      ["pez-warning", "Too near to “<b>a person</b>” (0.522, at most 0.393)"],
      ["pez-quiet", "Keeps away from “text” (0.120, at most 0.351)"],
    ],
  );
  const marked = chipsOf(view).map((chip) => chip.className.includes("pez-near"));
  assert.deepEqual(marked, [false, true, true], "from half of the largest pull on");
  assert.equal(chipsOf(view)[1].getAttribute("aria-label"), "lady, near <b>a person</b>");
  assert.match(wordCard(words[1]).textContent, /−0\.310 to “<b>a person<\/b>” without it/);
});

test("a word that says it outright is told and marked, whatever the whole means", () => {
  const kept = { concept: "a lady", similarity: 0.2, threshold: 0.4, near: false, says: ["lady"] };
  const view = viewedView({ ...VIEWED, guard: [kept] }, plain, NONE);
  assert.equal(
    view.querySelector(".pez-guard").textContent,
    "Says outright “a lady” (0.200, at most 0.400)",
  );
  const near = (shown) => chipsOf(shown).map((chip) => chip.className.includes("pez-near"));
  assert.deepEqual(near(view), [false, true, false]);
  const banned = viewedView({ ...VIEWED, guard: [kept] }, toggleBan(plain, 1, WORDS), NONE);
  assert.deepEqual(near(banned), [false, false, false], "it is not passed on");
  const other = replaceWord(replaceWord(plain, 0, "Lady"), 1, "man");
  const replaced = viewedView({ ...VIEWED, guard: [kept] }, other, NONE);
  assert.deepEqual(near(replaced), [true, false, false]);
  const several = viewedView(
    { ...VIEWED, guard: [kept] },
    replaceWord(plain, 0, "hot Lady,"),
    NONE,
  );
  assert.deepEqual(near(several), [true, true, false]);
});

test("no word is at fault where none makes it nearer, or nothing is near", () => {
  const kept = { concept: "text", similarity: 0.5, threshold: 0.4, near: true };
  const at = (pulls, guard) => {
    const words = pulls.map((amount) => ({ ...WORDS[0], pulls: { text: amount } }));
    return faults(guard, words, marksOf(words, plain));
  };
  assert.deepEqual(at([-0.1, 0], [kept]), [[], []]);
  assert.deepEqual(at([0.3, 0.1], [{ ...kept, near: false }]), [[], []]);
  assert.deepEqual(at([0.3, 0.1], undefined), [[], []]);
  const marks = marksOf(WORDS, plain);
  assert.deepEqual(faults([kept], WORDS, marks), [[], [], []], "saved before there was a guard");
  assert.equal(viewedView(VIEWED, plain, NONE).querySelector(".pez-guard"), null);
});

test("what helps and what harms look different, unmeasured has no bar", () => {
  const view = viewedView(VIEWED, plain, NONE);
  const bars = chipsOf(view).map((chip) =>
    [...chip.querySelectorAll("i")].map((bar) => bar.className),
  );
  assert.deepEqual(bars, [["pez-helps"], ["pez-harms", "pez-helps"], []]);
  const longest = view.querySelector(".pez-harms");
  assert.equal(longest.style.getPropertyValue("width"), "100%");
});

test("marks, the next text, and that the numbers are old", () => {
  let edits = toggleLock(plain, 0, WORDS);
  edits = replaceWord(toggleBan(edits, 1, WORDS), 2, ";");
  const view = viewedView(VIEWED, edits, { ...NONE, onReset() {}, onSend() {} });
  const [a, lady, comma] = chipsOf(view);
  assert.ok(a.className.includes("pez-locked") && a.querySelector(".pez-lock"));
  assert.ok(lady.className.includes("pez-banned"));
  assert.equal(lady.getAttribute("aria-label"), "lady, banned");
  assert.equal(comma.querySelector(".pez-new").textContent, ";");
  assert.match(view.textContent, /numbers of the last run/);
  assert.equal(view.querySelector(".pez-next").textContent, "The next run passes on: a;");
  const labels = [...view.querySelectorAll(".pez-button")].map((b) => b.textContent);
  assert.deepEqual(labels, ["Reset edits", "Send to node"]);
});

test("the numbers are of the run that had these edits", () => {
  const edits = toggleLock(plain, 0, WORDS);
  assert.equal(viewedView({ ...VIEWED, edits }, edits, NONE).querySelector(".pez-old"), null);
  const other = { ...edits, source: "another text" };
  assert.equal(
    viewedView({ ...VIEWED, edits: other }, plain, NONE).querySelector(".pez-old"),
    null,
  );
});

test("a text that ComfyUI reads differently has a warning, as text", () => {
  const view = viewedView({ ...VIEWED, exact: false, exact_text: "<b>a</b>" }, plain, NONE);
  const warning = view.querySelector(".pez-warning");
  assert.equal(warning.textContent, "ComfyUI reads this text as “<b>a</b>”");
  assert.equal(warning.querySelector("b"), null);
});

test("the border of a chunk, between words and inside a word", () => {
  const many = Array.from({ length: 40 }, (_, i) => word(`w${i}`, i ? " " : "", [null, null]));
  const inside = viewedView({ ...VIEWED, words: many }, plain, NONE);
  assert.equal(inside.querySelectorAll(".pez-border").length, 0);
  const piece = inside.querySelector(".pez-border-in");
  assert.equal(piece.textContent, "w371", "token 75, counted from 0");
  const between = viewedView({ ...VIEWED, words: many, chunk: 10 }, plain, NONE);
  const labels = [...between.querySelectorAll(".pez-border")].map((b) => b.textContent);
  assert.equal(labels.length, 7);
  assert.equal(labels[0], "10 tokens: a new chunk begins");
  const banned = viewedView({ ...VIEWED, words: many }, toggleBan(plain, 0, many), NONE);
  assert.equal(
    banned.querySelector(".pez-border-in").textContent,
    "w381",
    "a banned word is not sent",
  );
});

test("clicks and hovering tell which word", () => {
  const calls = [];
  const view = viewedView(VIEWED, plain, {
    ...NONE,
    onWord: (i) => calls.push(`word ${i}`),
    onHover: (i) => calls.push(`hover ${i}`),
  });
  const chip = chipsOf(view)[1];
  chip.matches = () => true; // :focus-visible, which is for a browser to know
  for (const name of ["pointerenter", "pointerleave", "focus", "blur"]) fire(chip, name);
  click(chip);
  assert.deepEqual(calls, ["hover 1", "hover null", "hover 1", "hover null", "word 1"]);
  chip.matches = () => false; // focus that comes back after a click shows no card
  fire(chip, "focus");
  assert.equal(calls.length, 5);
});

test("before the first run: a hint, the bans, and a way to reset", () => {
  assert.equal(unknownWords("hint", noEdits(), NONE).textContent, "hint");
  const view = unknownWords(
    "hint",
    { ...noEdits(), banned: ["lady", "cat"] },
    { ...NONE, onReset() {} },
  );
  assert.equal(view.textContent, "hintBanned: lady, catReset edits");
});

test("the card of a word", () => {
  assert.equal(withoutIt(0.031), "−0.031 without it");
  assert.equal(withoutIt(-0.02), "+0.020 without it");
  assert.equal(withoutIt(null), "not measured");
  assert.equal(withoutIt(0.031, true), "error +0.031 without it");
  assert.equal(withoutIt(-0.02, true), "error −0.020 without it");
  assert.equal(withoutIt(null, true), "not measured");
  const card = wordCard(WORDS[1]);
  const rows = [...card.querySelectorAll("tr")].map((r) =>
    [...r.children].map((d) => d.textContent),
  );
  assert.deepEqual(rows, [
    ["lady0", "+0.031 without it"],
    ["lady1", "−0.020 without it"],
  ]);
  assert.match(card.textContent, /with their similaritymelon\s+0\.200.*token ids: 5, 6/);
});

test("the menu of a word offers what can be done, and takes it back", () => {
  const done = [];
  const actions = {
    lock: () => done.push("lock"),
    ban: () => done.push("ban"),
    replace: (text) => done.push(`replace ${text}`),
    copy: () => done.push("copy"),
  };
  const labels = (mark) => [...wordMenu(WORDS[1], mark, actions).querySelectorAll("button")];
  const fresh = labels({ locked: false, banned: false, replaced: null });
  assert.deepEqual(
    fresh.map((b) => b.textContent),
    ["Lock", "Ban", "Copy", "melon0.200"],
  );
  fresh.forEach(click);
  assert.deepEqual(done, ["lock", "ban", "copy", "replace melon"]);
  const marked = labels({ locked: true, banned: true, replaced: "melon" }).map(
    (b) => b.textContent,
  );
  assert.deepEqual(marked.slice(0, 4), ["Unlock", "Allow again", "Copy", "Back to “lady”"]);
});
