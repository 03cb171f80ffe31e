// Runs that end otherwise, and the events of other workflows.

import assert from "node:assert/strict";
import { LEARN, chips, interruptedRun } from "./helpers.mjs";

export const runs = {
  "a cached result shows at once": async (front) => {
    await front.build(LEARN);
    await front.play({ mode: "cached" });
    await front.run();
    await front.panel("learn").getByText("no further improvement").waitFor();
  },

  "an interrupt and an error end the running look": async (front) => {
    await front.build(LEARN);
    const panel = front.panel("learn");
    await interruptedRun(front, panel);
    assert.equal(await panel.getByText("Use best so far").count(), 0);
    assert.ok((await chips(panel)).includes("watermelon"));
    await front.play({ mode: "error" });
    await front.run();
    await panel.getByText("ended with an error").waitFor();
    assert.equal(await panel.getByText("Use best so far").count(), 0);
    await front.shot("11-error");
    await front.page.keyboard.press("Escape");
    await front.page.waitForTimeout(300);
    await front.page.keyboard.press("Escape");
  },

  "events that overtake the answer to the queueing are not lost": async (front) => {
    await front.build(LEARN);
    await front.play({ slow_reply: true, mode: "cached" });
    await front.run();
    await front.panel("learn").getByText("no further improvement").waitFor();
  },

  "two workflows with the same node ids": async (front) => {
    await front.build(LEARN, 500);
    await front.play({ mode: "hold" });
    await front.run();
    await front.panel("learn").getByText("step 8 of 12").waitFor();
    const command = (name) =>
      front.page.evaluate((id) => window.app.extensionManager.command.execute(id), name);
    await command("Comfy.NewBlankWorkflow");
    await front.page.waitForTimeout(700);
    await front.build(LEARN, 500);
    const ids = await front.page.evaluate(() => String(window.made.learn.id));
    const panel = front.panel("learn");
    await front.eventually(async () => assert.match(await panel.innerText(), /Run the workflow/));
    const { prompt } = await front.log();
    assert.ok(Object.hasOwn(prompt[0].prompt, ids), "the same node id in both");
    await front.page.evaluate(() => fetch("/api/pez/finish", { method: "POST", body: "{}" }));
    await front.page.waitForTimeout(700);
    assert.match(await panel.innerText(), /Run the workflow/, "the other workflow's result");
    await front.shot("12-other-workflow");
    await command("Workspace.PreviousOpenedWorkflow");
    await front.page.locator(".pez-panel", { hasText: "stopped by you" }).waitFor();
    await front.shot("13-first-workflow");
  },

  "the pack installed twice": async (front) => {
    await front.play({ twice: true });
    await front.load();
    await front.build(LEARN);
    const isPanel = (widget) => widget.type === "PEZ_PANEL";
    const count = `window.made.learn.widgets.filter(${isPanel}).length`;
    assert.equal(await front.page.evaluate(count), 1);
    await front.play({ mode: "hold", twice: true });
    await front.run();
    const panel = front.panel("learn");
    await panel.getByText("step 8 of 12").waitFor();
    // Nodes 2.0 of 1.35.9 makes the node higher than the window.
    await front.page.evaluate(() => {
      window.app.canvas.ds.offset = [0, -250];
      window.app.canvas.setDirty(true, true);
    });
    await panel.locator("button", { hasText: "Use best so far" }).click();
    await panel.getByText("stopped by you").waitFor();
    await front.play();
    await front.load();
  },
};
