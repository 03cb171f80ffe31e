// The rules of web/js/edits.js, held to the same fixture as pez_core/text/edits.py.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as edits from "../../web/js/edits.js";
import * as words from "../../web/js/words.js";

const cases = JSON.parse(readFileSync(new URL("../fixtures/edits.json", import.meta.url)));

for (const c of cases) {
  test(`fixture: ${c.name}`, () => {
    const given = edits.editsFor(edits.parseEdits(JSON.stringify(c.edits)), c.source);
    assert.equal(edits.textOf(c.words, given), c.text);
    assert.equal(edits.templateOf(c.words, given), c.template);
    assert.equal(edits.banOf(given), c.ban);
  });
}

const source = "a Lady , lady";
const some = ["a", "Lady", ",", "lady"].map((text, i) => ({
  before: i ? " " : "",
  text,
  tokens: [{ id: i, text }],
}));

test("what is written comes back, nothing edited is an empty widget", () => {
  const made = edits.replaceWord(edits.toggleBan(edits.noEdits(source), 1, some), 0, "the");
  assert.deepEqual(edits.parseEdits(edits.serialiseEdits(made)), made);
  assert.equal(edits.serialiseEdits(edits.noEdits("x")), "");
});

test("words that are locked from the start: to unlock one is an edit", () => {
  const start = edits.editsFor(edits.noEdits(), source, [0, 2]);
  assert.deepEqual(start.locked, [0, 2]);
  assert.equal(edits.serialiseEdits(start, start), "");
  const unlocked = edits.toggleLock(edits.toggleLock(start, 0, some), 2, some);
  const value = edits.serialiseEdits(unlocked, start);
  assert.deepEqual(edits.editsFor(edits.parseEdits(value), source, [0, 2]).locked, []);
  assert.equal(
    edits.serialiseEdits(edits.toggleLock(edits.toggleLock(start, 1, some), 1, some), start),
    "",
  );
});

test("a damaged value is no edit at all", () => {
  const damaged = ["", "{", "null", "3", '"x"', '{"schema":2,"banned":["a"]}', undefined, null, 7];
  for (const value of damaged) assert.ok(edits.isEmpty(edits.parseEdits(value)), String(value));
  const partly = '{"schema":1,"locked":[-1,"x",2],"banned":[1,"B"],"replaced":{"x":"y","3":4}}';
  const read = { schema: 1, source: "", locked: [2], banned: ["b"], replaced: {} };
  assert.deepEqual(edits.parseEdits(partly), read);
});

test("a lock and a ban of one word take each other back", () => {
  const locked = edits.toggleLock(edits.noEdits(source), 1, some);
  assert.deepEqual(locked.locked, [1]);
  const banned = edits.toggleBan(locked, 3, some); // the same word in lower case
  assert.deepEqual([banned.locked, banned.banned], [[], ["lady"]]);
  const again = edits.toggleLock(banned, 1, some);
  assert.deepEqual([again.locked, again.banned], [[1], []]);
  assert.ok(edits.isEmpty(edits.toggleLock(again, 1, some)));
});

test("a replacement can be taken back", () => {
  const made = edits.replaceWord(edits.noEdits(source), 2, ";");
  assert.deepEqual(made.replaced, { 2: ";" });
  assert.ok(edits.isEmpty(edits.replaceWord(made, 2, null)));
});

test("the same edits in another order are the same edits", () => {
  const a = { ...edits.noEdits(source), locked: [2, 0], banned: ["x", "y"] };
  const b = { ...edits.noEdits(source), locked: [0, 2], banned: ["y", "x"] };
  assert.ok(edits.sameEdits(a, b));
  assert.ok(!edits.sameEdits(a, { ...b, banned: [] }));
  assert.ok(edits.sameEdits(edits.noEdits("a"), edits.noEdits("b")));
});

test("a prompt to be typed into ComfyUI", () => {
  assert.equal(words.forTyping("a (b) {c|d} :) \\"), "a \\(b\\) \\{c|d\\} :\\) \\");
  assert.equal(words.forTyping("embedding:x"), "embedding :x");
});

test("numbers in words", () => {
  assert.equal(words.signed(-0.0314), "−0.031");
  assert.equal(words.signed(0.0001), "±0.000");
  assert.equal(words.asSimilarity(null), "–");
  assert.equal(words.asSeconds(65.9), "1 min 05 s");
  assert.equal(words.stoppedInWords("plateau"), "no further improvement");
  assert.equal(words.stoppedInWords("something new"), "something new");
});
