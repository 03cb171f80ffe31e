// The Prompt Ranker while it runs, after, and with a text that is hard to show.

import assert from "node:assert/strict";
import { assertInside, scrolled } from "./helpers.mjs";

const RANK = {
  picture: { type: "EmptyImage", pos: [80, 140] },
  rank: { type: "PEZ_PromptRanker", pos: [400, 60], links: { image: "picture.0" } },
};
const HTML = `<img src=x onerror="window.hacked=1">`;

async function build(front) {
  await front.build(RANK);
  await scrolled(front, -250);
}

export const ranker = {
  "the Prompt Ranker: bars while it runs, and Use best so far": async (front) => {
    await build(front);
    assert.match(await front.panel("rank").innerText(), /appear here in order/);
    await front.play({ mode: "hold" });
    await front.run();
    const panel = front.panel("rank");
    await panel.getByText("round 8 of at most 12").waitFor();
    assert.equal(await panel.locator(".pez-ranked").count(), 4);
    await assertInside(front);
    await front.shot("30-ranking");
    await panel.locator("button", { hasText: "Use best so far" }).click();
    await panel.getByText("stopped by you").waitFor();
    const rank = await front.page.evaluate(() => String(window.made.rank.id));
    const { finish, prompt } = await front.log();
    assert.deepEqual(finish, [{ node: rank, prompt_id: prompt[0].prompt_id }]);
    assert.match(await panel.innerText(), /the first 2 cannot be told apart\./);
    await assertInside(front);
    await front.shot("31-ranked");
  },

  "the Prompt Ranker: a click copies a prompt, and an error leaves the ranking": async (front) => {
    const panel = front.panel("rank");
    await panel.locator(".pez-ranked").nth(1).click();
    await front.eventually(async () => {
      const copied = await front.page.evaluate(() => navigator.clipboard.readText());
      assert.equal(copied, "watermelon \\(juicy\\)");
    });
    await front.play({ mode: "error" });
    await front.run();
    await panel.getByText("ended with an error, ranking so far").waitFor();
    await front.page.keyboard.press("Escape");
  },

  "the Prompt Ranker: what each word adds": async (front) => {
    await build(front);
    await front.play({ added: true });
    await front.run();
    const panel = front.panel("rank");
    await panel.getByText("Green words help").waitFor();
    assert.ok((await panel.locator(".pez-word-harms").count()) > 0);
    const shade = await panel
      .locator(".pez-word-helps")
      .first()
      .evaluate((word) => window.getComputedStyle(word).backgroundColor);
    assert.doesNotMatch(shade, /, 0\)$|transparent/);
    await assertInside(front);
    await front.shot("33-shades");
  },

  "the Prompt Ranker: the edits of the best prompt, and what a click on one copies": async (front) => {
    await build(front);
    await front.play({ edited: true });
    await front.run();
    const edits = front.panel("rank").locator(".pez-edited");
    await edits.getByText("Edited by the model you paint with").waitFor();
    assert.deepEqual(await edits.locator("ins").allInnerTexts(), [" juicy", " green"]);
    assert.deepEqual(await edits.locator("del").allInnerTexts(), [" striped"]);
    await assertInside(front);
    await front.shot("34-edits");
    await edits.locator("button").nth(1).click();
    await front.eventually(async () => {
      const copied = await front.page.evaluate(() => navigator.clipboard.readText());
      assert.equal(copied, "a juicy watermelon on a green background");
    });
  },

  "the Prompt Ranker: HTML in a prompt stays text": async (front) => {
    await build(front);
    await front.play({ text: HTML });
    await front.run();
    const panel = front.panel("rank");
    await panel.getByText("all rounds done").waitFor();
    assert.ok((await panel.innerText()).includes(HTML));
    const hacked = await front.page.evaluate(() => [
      window.hacked ?? null,
      document.querySelectorAll(".pez-panel img").length,
    ]);
    assert.deepEqual(hacked, [null, 0]);
    await assertInside(front);
  },
};
