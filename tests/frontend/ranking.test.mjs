// What the panel of the Prompt Ranker shows.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { rankedRows, rankingView, runningRanking } from "../../web/js/ranking.js";
import { click, newDocument } from "./fake_page.mjs";

beforeEach(newDocument);

const row = (prompt, error, low, high) => ({ prompt, error, low, high, passes: 20 });
const FOUND = {
  text: "a cat",
  ranking: [row("a cat", 0.8, 0.8, 0.8), row("cat", 0.85, 0.79, 0.91), row("car", 1.2, 1.1, 1.3)],
  certainty: "the first 2 cannot be told apart",
  step: 3,
  total: 8,
  passes: 120,
  seconds: 2.31,
  stopped: "one left",
};

test("every prompt has its error and its interval on a common scale", () => {
  const rows = [...rankedRows(FOUND.ranking, () => {}).querySelectorAll(".pez-ranked")];
  assert.deepEqual(
    rows.map((one) => one.textContent),
    ["0.800a cat", "0.850cat", "1.200car"],
  );
  const shares = rows.map((one) => {
    const { style } = one.querySelector(".pez-interval");
    return [style.getPropertyValue("left"), style.getPropertyValue("width")].map(parseFloat);
  });
  assert.equal(shares[1][0], 0); // the least of all
  assert.equal(shares[0][1], 0); // the best has none
  assert.ok(Math.abs(shares[2][0] + shares[2][1] - 100) < 1e-9); // the most of all
});

test("words in shades of what they add, on a scale of all prompts; HTML is text", () => {
  const words = [{ text: "<b>a</b>", adds: 0.04 }, { text: " cat", adds: -0.01 }, { text: " x", adds: null }];
  const list = rankedRows([{ ...FOUND.ranking[0], words }, FOUND.ranking[1]], () => {});
  const [first, second] = [...list.querySelectorAll(".pez-ranked")];
  assert.equal(first.textContent, "0.800<b>a</b> cat x");
  assert.equal(second.textContent, "0.850cat");
  const [helps, harms] = ["helps", "harms"].map((k) => first.querySelector(`.pez-word-${k}`));
  assert.deepEqual(
    [helps, harms].map((one) => [one.textContent, one.style.getPropertyValue("--pez-strength"), one.title]),
    [
      ["<b>a</b>", "60%", "error +0.040 without it"],
      [" cat", "15%", "error −0.010 without it"],
    ],
  );
  const found = { ...FOUND, ranking: [{ ...FOUND.ranking[0], words }] };
  assert.match(rankingView(found, () => {}).textContent, /Green words help/);
  assert.doesNotMatch(rankingView(FOUND, () => {}).textContent, /Green words help/);
});

test("equal errors stand in the middle", () => {
  const list = rankedRows([row("a", 0.9, 0.9, 0.9)], () => {});
  assert.equal(list.querySelector(".pez-dot").style.getPropertyValue("left"), "50%");
});

test("a click copies a prompt as it is; HTML is text", () => {
  const copied = [];
  const list = rankedRows([row("<b>(x:1.2)</b>", 0.9, 0.9, 0.9)], (text) => copied.push(text));
  assert.equal(list.querySelector("b"), null);
  click(list.querySelector(".pez-ranked"));
  assert.deepEqual(copied, ["<b>(x:1.2)</b>"]);
});

test("a finished ranking says what is certain and why it ended", () => {
  const text = rankingView(FOUND, () => {}).textContent;
  assert.match(text, /the first 2 cannot be told apart\./);
  assert.match(text, /decided · 120 passes · 2\.3 s/);
  assert.match(rankingView({ ...FOUND, stopped: "lost" }, () => {}).textContent, /connection lost/);
  const one = { ...FOUND, ranking: FOUND.ranking.slice(0, 1) };
  assert.equal(rankingView(one, () => {}).querySelector(".pez-note"), null);
});

test("a running ranking is updated in place, and can be ended", async () => {
  let ended = 0;
  const finish = async () => {
    ended += 1;
    return false;
  };
  const view = runningRanking(finish, () => {});
  view.update(FOUND);
  const button = view.element.querySelector(".pez-line .pez-button");
  assert.match(view.element.textContent, /round 3 of at most 8/);
  view.update({ ...FOUND, step: 4, ranking: FOUND.ranking.slice(1) });
  assert.equal(view.element.querySelector(".pez-line .pez-button"), button);
  assert.equal(view.element.querySelectorAll(".pez-ranked").length, 2);
  click(button);
  await new Promise((done) => setTimeout(done));
  assert.equal(ended, 1);
  assert.equal(button.textContent, "Use best so far"); // it failed
});
