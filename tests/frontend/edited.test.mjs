// The edits of a prompt that a painter took.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { editedLines } from "../../web/js/edited.js";
import { click, newDocument } from "./fake_page.mjs";

beforeEach(newDocument);

const EDIT = {
  prompt: "a <b>red</b> cat",
  gain: 0.0412,
  pieces: [
    { text: "a", kind: "same" },
    { text: " blue", kind: "gone" },
    { text: " <b>red</b>", kind: "new" },
    { text: " cat", kind: "same" },
  ],
};

test("an edit shows what came and what went; HTML is text; a click copies the prompt", () => {
  const copied = [];
  const lines = editedLines({ edits: [EDIT], reason: "edits" }, (text) => copied.push(text));
  const row = lines.querySelector(".pez-candidate");
  assert.equal(row.textContent, "−0.041a blue <b>red</b> cat");
  assert.equal(row.querySelector("del").textContent, " blue");
  assert.equal(row.querySelector("ins").textContent, " <b>red</b>");
  assert.equal(row.querySelector("b"), null);
  click(row);
  assert.deepEqual(copied, ["a <b>red</b> cat"]);
});

test("without an edit a line says why; where none was asked for there is none", () => {
  const line = (reason) => editedLines({ edits: [], reason }, () => {}).textContent;
  assert.equal(line("no better edit"), "No edit is surely better.");
  assert.match(line("seconds"), /time was up/);
  assert.match(line("stopped"), /Stopped/);
  assert.match(line("news"), /No edit/);
  assert.equal(editedLines(null, () => {}), null);
  assert.equal(editedLines(undefined, () => {}), null);
});
