// Texts that are hard to show: HTML, long ones, and another theme.

import assert from "node:assert/strict";
import { VIEW, assertInside, choose } from "./helpers.mjs";

const HTML = `<img src=x onerror="window.hacked=1">`;

export const texts = {
  "HTML in a prompt stays text": async (front) => {
    await front.build(VIEW);
    await front.play({ text: HTML });
    await front.run();
    const panel = front.panel("view");
    await panel.locator(".pez-token-word").first().waitFor();
    await panel.locator(".pez-token-word").first().hover();
    await panel.locator(".pez-token-word").first().click();
    await front.page.keyboard.press("Escape");
    assert.ok((await front.panel("learn").innerText()).includes(HTML));
    assert.ok((await panel.innerText()).includes(HTML));
    assert.match(await panel.innerText(), /ComfyUI reads this text as/);
    const hacked = await front.page.evaluate(() => [
      window.hacked ?? null,
      document.querySelectorAll(".pez-panel img, .pez-popup img").length,
    ]);
    assert.deepEqual(hacked, [null, 0]);
    await assertInside(front);
    await front.shot("09-html");
  },

  "a long prompt: borders of chunks, and it scrolls inside the node": async (front) => {
    await front.build(VIEW);
    await front.play({ words: 150 });
    await front.run();
    const panel = front.panel("view");
    await panel.locator(".pez-token-word").first().waitFor();
    assert.equal(await panel.locator(".pez-border, .pez-border-in").count(), 2);
    await assertInside(front);
    const scrolls = await panel.evaluate((e) => [e.scrollHeight > e.clientHeight, e.clientHeight]);
    assert.equal(scrolls[0], true);
    assert.ok(scrolls[1] <= 330, `${scrolls[1]}`);
    await panel.locator(".pez-border, .pez-border-in").first().scrollIntoViewIfNeeded();
    await front.page.mouse.move(300, 700);
    await front.shot("10-long");
  },

  "the light theme": async (front) => {
    await front.build(VIEW);
    const theme = (name) =>
      front.page.evaluate(
        (n) => window.app.extensionManager.setting.set("Comfy.ColorPalette", n),
        name,
      );
    await theme("light");
    await front.play({ mode: "cached" });
    await front.run();
    await front.panel("view").locator(".pez-token-word").first().waitFor();
    await choose(front, front.panel("view"), "watermelon", "Lock");
    await choose(front, front.panel("view"), "lady", "Ban");
    await front.panel("view").locator(".pez-token-word", { hasText: "skater" }).click();
    await front.shot("19-light");
    await front.page.keyboard.press("Escape");
    await theme("dark");
  },

  // The last one: it leaves the page inside the subgraph.
};
