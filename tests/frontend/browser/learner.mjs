// Image→Hard Prompt while it runs and after. The scenarios of viewer.mjs go on from here.

import assert from "node:assert/strict";
import { VIEW, assertInside, chips, scrolled } from "./helpers.mjs";

export const learner = {
  "before any run a hint": async (front) => {
    await front.build(VIEW);
    assert.match(await front.panel("learn").innerText(), /Run the workflow/);
    assert.match(await front.panel("view").innerText(), /Run the workflow/);
    const hidden = await front.page.evaluate(() => [
      window.made.view.widgets.map((w) => w.name.split("_")[0]),
      /^edits$/m.test(document.body.innerText),
    ]);
    assert.deepEqual(hidden, [["model", "edits", "avoid", "prompt", "pez"], false]);
    await assertInside(front);
    await front.shot("01-hint");
  },

  "chips while it runs, and Use best so far": async (front) => {
    await front.build(VIEW);
    await scrolled(front, -60);
    await front.play({ mode: "hold", keep: true });
    await front.run();
    const panel = front.panel("learn");
    const button = panel.locator("button", { hasText: "Use best so far" });
    await button.waitFor();
    await panel.getByText("step 8 of 12").waitFor();
    assert.ok((await chips(panel)).includes("watermelon"));
    assert.equal(await panel.locator(".pez-fixed").count(), 3);
    assert.match(await panel.innerText(), /0\.239/);
    await assertInside(front);
    await front.shot("02-running");
    await button.click();
    await panel.getByText("finishing…").waitFor();
    assert.ok(await panel.locator("button:disabled").count());
    await front.shot("03-finishing");
    await front.post("/test/go", {});
    await panel.getByText("stopped by you").waitFor();
    assert.match(await panel.innerText(), /Keeps away from “text” \(0\.120, at most 0\.393\)/);
    const { finish, prompt } = await front.log();
    const learn = await front.page.evaluate(() => String(window.made.learn.id));
    assert.deepEqual(finish, [{ node: learn, prompt_id: prompt[0].prompt_id }]);
    assert.equal(await panel.getByText("Use best so far").count(), 0);
    await front.panel("view").locator(".pez-token-word").first().waitFor();
    await assertInside(front);
    await front.shot("04-done");
  },

  "a click copies a prompt as it has to be typed": async (front) => {
    const panel = front.panel("learn");
    await panel.getByRole("button", { name: "Copy", exact: true }).click();
    const copied = (text) =>
      front.eventually(async () => {
        assert.equal(await front.page.evaluate(() => navigator.clipboard.readText()), text);
      });
    await copied("a photo of watermelon skater summer :\\) \\(juicy\\)");
    await scrolled(front, -250);
    await panel.locator(".pez-candidate").first().click();
    await copied("a photo of silent skater fruit");
    await scrolled(front, 0);
  },
};
