// What every panel of a run shows: what the node is doing, errors, several results; and which widgets
// are in sight.

import assert from "node:assert/strict";
import { LEARN, assertInside, interruptedRun, widgetValue } from "./helpers.mjs";

const NUMBERS = ["steps", "restarts", "learning_rate", "weight_decay"];

const hidden = (front, node) =>
  front.page.evaluate(
    (name) => window.made[name].widgets.filter((w) => w.hidden).map((w) => w.name),
    node,
  );

async function choose(front, node, name, value) {
  await front.page.evaluate(
    ([n, w, v]) => {
      const widget = window.made[n].widgets.find((one) => one.name === w);
      widget.value = v;
      widget.callback?.(v);
    },
    [node, name, value],
  );
}

export const panels = {
  "before the first words: what the node is doing": async (front) => {
    await front.build(LEARN);
    const panel = front.panel("learn");
    await front.play({ mode: "doing", doing: [{ doing: "download", model: "SD 1.5", percent: 35 }] });
    await front.run();
    await panel.getByText("Downloading SD 1.5: 35 %").waitFor();
    await front.shot("40-doing");
    await front.page.evaluate(() => fetch("/api/interrupt", { method: "POST" }));
    await panel.getByText("Run the workflow").waitFor();
  },

  "an error is where one looks, until the next run": async (front) => {
    await front.build(LEARN);
    const panel = front.panel("learn");
    const message = "SD 1.5 is not on this machine <b>x</b>";
    await front.play({ mode: "fail", message });
    await front.run();
    await panel.getByText(message).waitFor();
    assert.equal(await panel.getByRole("alert").count(), 1);
    assert.doesNotMatch(await panel.innerText(), /Run the workflow/);
    await assertInside(front);
    await front.page.keyboard.press("Escape");
    await front.page.waitForTimeout(300);
    await front.page.keyboard.press("Escape");
    await front.shot("41-failed");
    await front.play({ mode: "run" });
    await front.run();
    await panel.getByText("no further improvement").waitFor();
    assert.equal(await panel.getByRole("alert").count(), 0);
  },

  "the results of a list of pictures, one after the other": async (front) => {
    await front.build(LEARN);
    const panel = front.panel("learn");
    await front.play({ mode: "run", texts: ["first words", "second words", "third words"] });
    await front.run();
    await panel.getByText("1 of 3").waitFor();
    const next = panel.getByRole("button", { name: "next result" });
    await next.click();
    await panel.getByText("2 of 3").waitFor();
    await panel.getByText("second words").first().waitFor();
    await next.click();
    await next.click();
    await panel.getByText("1 of 3").waitFor();
    await panel.getByRole("button", { name: "previous result" }).click();
    await panel.getByText("3 of 3").waitFor();
    await assertInside(front);
    await front.shot("42-list");
  },

  "the preset custom shows its numbers, and more options the rest": async (front) => {
    await front.build(LEARN);
    const rare = ["vocabulary", "seconds", "text_targets", "painter_edits"];
    assert.deepEqual((await hidden(front, "learn")).sort(), [...NUMBERS, ...rare].sort());
    await choose(front, "learn", "preset", "custom");
    assert.deepEqual((await hidden(front, "learn")).sort(), [...rare].sort());
    const values = await Promise.all(NUMBERS.map((name) => widgetValue(front, "learn", name)));
    assert.deepEqual(values, [10, 8, 0.1, 0.1]);
    await front.shot("43-custom");
    await choose(front, "learn", "pez_more", null);
    assert.deepEqual(await hidden(front, "learn"), []);
    await assertInside(front);
    await front.shot("44-more");
    await choose(front, "learn", "vocabulary", "ascii");
    await choose(front, "learn", "pez_more", null);
    assert.ok(!(await hidden(front, "learn")).includes("vocabulary"), "it is in use");
    await choose(front, "learn", "preset", "fast");
    assert.ok(!(await hidden(front, "learn")).includes("steps"), "it is not the preset's");
  },

  "an interrupted result comes back with undo": async (front) => {
    await front.build(LEARN);
    const panel = front.panel("learn");
    await interruptedRun(front, panel);
    await front.page.waitForTimeout(500);
    await front.page.evaluate(() => {
      window.made.learn.pos = [500, 90];
      window.app.extensionManager.workflow.activeWorkflow.changeTracker.checkState();
    });
    await front.page.evaluate(() =>
      window.app.extensionManager.workflow.activeWorkflow.changeTracker.undo(),
    );
    await front.page.waitForTimeout(700);
    await front.page.locator(".pez-panel").first().getByText("interrupted, best so far").waitFor();
  },
};
