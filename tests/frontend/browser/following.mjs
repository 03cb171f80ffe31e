// A node follows what the graph paints with, and says before a run what does not fit.

import assert from "node:assert/strict";
import { LEARN, assertInside, widgetValue } from "./helpers.mjs";

const DEMO = "demo (clip-art only)";
const PAINTS = { painter: "SDXL", model: "SDXL", fits: false, here: true };
const FITS = { ...PAINTS, fits: true };
const LOADER = { type: "TestLoader", pos: [80, 420] };

const change = (front) => front.page.evaluate(() => window.app.api.dispatchEvent(new CustomEvent("graphChanged")));

async function choose(front, model) {
  await front.page.evaluate((value) => {
    const widget = window.made.learn.widgets.find((one) => one.name === "model");
    widget.value = value;
    widget.callback?.(value);
  }, model);
}

export const following = {
  "a new node takes the model that the graph paints with": async (front) => {
    await front.play({ advice: { [DEMO]: PAINTS, SDXL: { ...FITS, here: false } } });
    await front.build({ ...LEARN, load: LOADER });
    const panel = front.panel("learn");
    await panel.getByText("The CLIP for SDXL is not on this machine yet: the first run downloads it.").waitFor();
    assert.equal(await widgetValue(front, "learn", "model"), "SDXL");
    const { painter } = await front.log();
    assert.equal(painter.length, 2);
    assert.equal(painter[0].loaders.length, 1);
    await assertInside(front);
    await front.shot("50-follows");
    await change(front);
    await front.page.waitForTimeout(600); // nothing has changed, so nothing is asked
    assert.equal((await front.log()).painter.length, 2);
    // A saved workflow keeps what was chosen.
    await choose(front, DEMO);
    await front.page.evaluate(async () => {
      await window.app.loadGraphData(window.app.graph.serialize());
      const nodes = window.app.graph.nodes;
      window.made = { learn: nodes.find((n) => n.type === "PEZ_ImageToHardPrompt") };
    });
    await front.panel("learn").getByText("This graph paints with SDXL.").waitFor();
    assert.equal(await widgetValue(front, "learn", "model"), DEMO);
  },

  "a model that does not fit is reported, with a button for the right one": async (front) => {
    await front.play({ advice: { "SD 1.5": PAINTS, [DEMO]: FITS, SDXL: FITS } });
    await front.build({ ...LEARN, load: LOADER });
    const panel = front.panel("learn");
    await panel.getByText("Run the workflow").waitFor();
    await choose(front, "SD 1.5");
    await panel.getByText("Words learned for SD 1.5 may not reach it.").waitFor();
    await assertInside(front);
    await front.shot("51-does-not-fit");
    await panel.getByRole("button", { name: "Choose SDXL" }).click();
    await front.eventually(async () =>
      assert.equal(await widgetValue(front, "learn", "model"), "SDXL"),
    );
    await front.eventually(async () =>
      assert.doesNotMatch(await panel.innerText(), /This graph paints/),
    );
  },

  "a painter without a CLIP is reported": async (front) => {
    await front.play({ advice: { [DEMO]: { painter: "Qwen-Image", model: null, fits: false, here: true } } });
    await front.build({ ...LEARN, load: LOADER });
    const panel = front.panel("learn");
    await panel.getByText("Qwen-Image, which reads sentences").waitFor();
    assert.equal(await widgetValue(front, "learn", "model"), DEMO);
    await assertInside(front);
    await front.shot("52-reads-sentences");
    await front.run();
    await panel.getByText("no further improvement").waitFor();
    assert.match(await panel.innerText(), /reads sentences/);
  },
};

following["an example workflow gets its pictures, and offers them"] = async (front) => {
  await front.play({});
  const offered = await front.page.evaluate(async () => {
    const { app, LiteGraph } = window;
    const saved = (id, name) => ({
      id,
      type: "LoadImage",
      pos: [80 + 400 * id, 140],
      size: [300, 300],
      flags: {},
      order: 0,
      mode: 0,
      inputs: [],
      outputs: [],
      properties: {},
      widgets_values: [name, "image"],
    });
    const nodes = [saved(1, "pez/penguin.png"), saved(2, "mine.png")];
    await app.loadGraphData({ last_node_id: 2, last_link_id: 0, nodes, links: [], version: 0.4 });
    const values = LiteGraph.createNode("LoadImage").widgets[0].options.values;
    return Array.isArray(values) ? values : [];
  });
  const { pictures } = await front.log();
  assert.deepEqual(pictures, [{ pictures: ["pez/penguin.png"] }]);
  assert.ok(offered.includes("pez/penguin.png") && !offered.includes("mine.png"));
};
