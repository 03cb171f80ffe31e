// The Token Viewer: what an edit does, keys, a reload. They build on each other, in this order.

import assert from "node:assert/strict";
import { VIEW, assertInside, chips, choose, widgetValue } from "./helpers.mjs";

export const viewer = {
  "what the prompt is too near to, and the words at fault": async (front) => {
    const panel = front.panel("view");
    assert.match(await panel.innerText(), /Too near to “a person” \(0\.522, at most 0\.393\)/);
    assert.deepEqual(await panel.locator(".pez-near").allTextContents(), ["lady"]);
    const frame = await panel
      .locator(".pez-near")
      .evaluate((chip) => window.getComputedStyle(chip).borderTopStyle);
    assert.equal(frame, "dashed");
    await assertInside(front);
  },

  "an edit changes the view at once, the widget, and the next prompt": async (front) => {
    const panel = front.panel("view");
    await choose(front, panel, "watermelon", "Lock");
    await choose(front, panel, "lady", "Ban");
    await choose(front, panel, "summer", "melon");
    const locked = await panel.locator(".pez-locked").allTextContents();
    assert.deepEqual(locked, ["watermelon", "summer→melon"]); // what was chosen is kept, too
    assert.equal(await panel.locator(".pez-banned").textContent(), "lady");
    assert.match(await panel.locator(".pez-replaced").innerText(), /summer\s*→\s*melon/);
    assert.match(await panel.innerText(), /numbers of the last run/);
    assert.match(
      await panel.innerText(),
      /passes on: a photo of watermelon skater, melon :\) \(juicy\)/,
    );
    const edits = JSON.parse(await widgetValue(front, "view", "edits"));
    const { source, ...rest } = edits;
    assert.equal(source, "a photo of watermelon skater, lady summer:) (juicy)");
    assert.deepEqual(rest, {
      schema: 1,
      locked: [3, 7],
      banned: ["lady"],
      replaced: { 7: "melon" },
    });
    await assertInside(front);
    await front.shot("05-edited");
    await front.play();
    await front.run();
    await panel.getByText("numbers of the last run").waitFor({ state: "hidden" });
    const sent = Object.values((await front.log()).prompt[0].prompt);
    const viewer = sent.find((call) => call.class_type === "PEZ_TokenViewer");
    assert.deepEqual(JSON.parse(viewer.inputs.edits), edits);
    assert.equal(await panel.locator(".pez-locked").count(), 2);
  },

  "Send to node sets the template and the bans": async (front) => {
    const button = front.panel("view").getByRole("button", { name: "Send to node" });
    await button.click();
    assert.match(await button.textContent(), /sent$/);
    assert.equal(await widgetValue(front, "learn", "template"), "{3} watermelon {4} melon {2}");
    assert.equal(await widgetValue(front, "learn", "ban"), "lady");
    const without = await front.page.evaluate(() => {
      const view = window.made.view;
      for (const name of ["prompt", "tokens"])
        view.disconnectInput(view.inputs.findIndex((i) => i.name === name));
      return view.widgets.find((w) => w.type === "PEZ_PANEL").element.innerText;
    });
    assert.doesNotMatch(without, /Send to node/);
  },

  "keys alone: Tab, Enter, arrows, Escape": async (front) => {
    const panel = front.panel("view");
    const card = front.page.locator(".pez-card");
    await panel.locator(".pez-token-word").first().focus();
    await front.page.keyboard.press("Tab");
    await card.waitFor();
    assert.match(await card.innerText(), /photo\s+−0\.004 without it/);
    assert.match(await card.innerText(), /melon\s+0\.201/);
    await front.shot("06-card");
    await front.page.keyboard.press("Enter");
    await front.page.locator(".pez-popup.pez-menu").waitFor();
    assert.equal(await card.count(), 0);
    await front.shot("07-menu");
    await front.page.keyboard.press("ArrowDown");
    await front.page.keyboard.press("Escape");
    assert.equal(await front.page.locator(".pez-popup.pez-menu").count(), 0);
    const focused = () => front.page.evaluate(() => document.activeElement.textContent);
    assert.equal(await focused(), "photo");
    await front.page.keyboard.press("Tab");
    assert.equal(await focused(), "of");
    await front.page.keyboard.press("Enter");
    await front.page.keyboard.press("Enter"); // the first entry: Lock
    assert.equal(await focused(), "of");
    assert.deepEqual(JSON.parse(await widgetValue(front, "view", "edits")).locked, [2, 3, 7]);
    await front.page.keyboard.press("Escape");
  },

  "saved and loaded again: chips and edits are there without a run": async (front) => {
    const saved = await front.page.evaluate(() => window.app.graph.serialize());
    const values = saved.nodes.map((n) => [n.type, n.widgets_values]);
    await front.load();
    await front.page.evaluate(async (data) => {
      await window.app.loadGraphData(data);
      const nodes = window.app.graph.nodes;
      const of = (type) => nodes.find((n) => n.type === type);
      window.made = { learn: of("PEZ_ImageToHardPrompt"), view: of("PEZ_TokenViewer") };
      window.app.canvas.ds.scale = 1;
      window.app.canvas.ds.offset = [0, 0];
    }, saved);
    await front.eventually(async () => {
      assert.ok((await chips(front.panel("learn"))).includes("watermelon"));
      assert.equal(await front.panel("view").locator(".pez-locked").count(), 3);
      const again = await front.page.evaluate(() =>
        window.app.graph.serialize().nodes.map((n) => [n.type, n.widgets_values]),
      );
      assert.deepEqual(again, values);
    });
    await assertInside(front);
    await front.shot("08-reloaded");
    await front.panel("view").getByRole("button", { name: "Reset edits" }).click();
    assert.equal(await widgetValue(front, "view", "edits"), "");
    assert.equal(await front.panel("view").locator(".pez-locked").count(), 0);
  },

  "words of a template are locked from the start": async (front) => {
    await front.build(VIEW);
    await front.play({ mode: "cached", locked: [1] });
    await front.run();
    const panel = front.panel("view");
    await panel.locator(".pez-locked").waitFor();
    const reset = panel.getByRole("button", { name: "Reset edits" });
    assert.ok(await reset.isDisabled());
    assert.doesNotMatch(await panel.innerText(), /numbers of the last run/);
    await choose(front, panel, "photo", "Unlock");
    assert.equal(await panel.locator(".pez-locked").count(), 0);
    assert.deepEqual(JSON.parse(await widgetValue(front, "view", "edits")).locked, []);
    await reset.click();
    assert.equal(await panel.locator(".pez-locked").textContent(), "photo");
    assert.equal(await widgetValue(front, "view", "edits"), "");
  },

  "the errors of a painter": async (front) => {
    await front.build(VIEW);
    await front.play({ mode: "cached", error: 0.912 });
    await front.run();
    const panel = front.panel("view");
    await panel.getByText("error 0.912 of that without words").waitFor();
    await panel.locator(".pez-token-word").nth(1).focus();
    await front.page.keyboard.press("Tab");
    await front.page.keyboard.press("Shift+Tab");
    const card = front.page.locator(".pez-card");
    await card.waitFor();
    assert.match(await card.innerText(), /photo\s+error \+0\.004 without it/);
    assert.match(await card.innerText(), /melon\s+error 0\.932/);
    await assertInside(front);
    await front.shot("09-errors");
    await front.page.keyboard.press("Escape");
  },

  "edits without words yet": async (front) => {
    const edits = JSON.stringify({
      schema: 1,
      source: "x",
      locked: [1],
      banned: ["lady"],
      replaced: {},
    });
    await front.build(VIEW);
    await front.page.evaluate(async (value) => {
      window.made.view.widgets.find((w) => w.name === "edits").value = value;
      await window.app.loadGraphData(window.app.graph.serialize());
      const view = window.app.graph.nodes.find((n) => n.type === "PEZ_TokenViewer");
      window.made = { view };
    }, edits);
    await front.eventually(async () => {
      const text = await front.panel("view").innerText();
      assert.match(text, /The edits are saved/);
      assert.match(text, /Banned: lady/);
    });
  },
};
