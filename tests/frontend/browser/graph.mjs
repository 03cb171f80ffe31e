// What the pack does to the graph: the context menu, the mixer's weights, subgraphs.

import assert from "node:assert/strict";
import { LEARN, assertInside } from "./helpers.mjs";
import { SAFETY } from "./page.mjs";

export const graph = {
  "the context menu adds a wired node": async (front) => {
    await front.build({
      picture: { type: "EmptyImage", pos: [80, 140] },
      preview: { type: "PreviewImage", pos: [420, 140], links: { images: "picture.0" } },
      text: { type: "PrimitiveString", pos: [80, 420] },
    });
    const rightClick = async (name) => {
      const [x, y] = await front.page.evaluate((n) => {
        const node = window.made[n];
        const canvas = window.app.canvas.canvas.getBoundingClientRect();
        return [canvas.left + node.pos[0] + 100, canvas.top + node.pos[1] - 12];
      }, name);
      await front.page.mouse.click(x, y, { button: "right" });
    };
    const entry = front.page.getByText("Find its hard prompt");
    await rightClick("preview");
    const patience = front.vue ? 20000 : SAFETY; // one menu of Nodes 2.0 never has the entry
    await entry.first().waitFor({ timeout: patience }).catch(() => {});
    await front.shot("15-context-menu");
    if (await entry.count()) {
      await entry.first().click();
    } else {
      // Nodes 2.0 of 1.35.9: its menu takes no entries from extensions, the tool box does.
      assert.ok(front.vue && front.name.startsWith("1.35.9"), "no entry in the context menu");
      await front.page.keyboard.press("Escape");
      await front.page
        .locator(".selection-toolbox .pi-search, .p-panel .pi-search")
        .first()
        .click();
    }
    const added = await front.eventually(async () => {
      const found = await front.page.evaluate(() => {
        const { graph } = window.app;
        const node = graph.nodes.find((n) => n.type === "PEZ_ImageToHardPrompt");
        const link = node?.getInputLink(node.inputs.findIndex((i) => i.name === "image"));
        return link && [String(link.origin_id), node.pos[0] > 560, String(window.made.picture.id)];
      });
      assert.ok(found, "no connected node was added");
      return found;
    });
    assert.equal(added[0], added[2]);
    assert.ok(added[1], "to the right");
    await front.shot("16-added");
    await front.page.keyboard.press("Escape");
    await rightClick("text");
    await front.page.waitForTimeout(500); // what is not to come has the time to
    assert.equal(await entry.count(), 0);
    await front.page.keyboard.press("Escape");
  },

  "Prompt Mixer: a weight shows while its input is connected": async (front) => {
    await front.build({
      one: { type: "PrimitiveString", pos: [80, 140], values: { value: "a cat" } },
      mix: { type: "PEZ_PromptMixer", pos: [420, 80], links: { prompt_3: "one.0" } },
    });
    const shown = () =>
      front.page.evaluate((vue) => {
        const mix = window.made.mix;
        if (vue) {
          const node = document.querySelector(`[data-node-id="${mix.id}"]`);
          return [...node.innerText.matchAll(/(prompt|image)_\d_weight/g)].map((m) => m[0]);
        }
        return mix.widgets
          .filter((w) => /_weight$/.test(w.name) && mix.isWidgetVisible(w))
          .map((w) => w.name);
      }, front.vue);
    const connect = (input) =>
      front.page.evaluate((name) => {
        const { one, mix } = window.made;
        one.connect(
          0,
          mix,
          mix.inputs.findIndex((i) => i.name === name),
        );
      }, input);
    assert.deepEqual(await shown(), ["prompt_3_weight"]);
    await connect("prompt_1");
    const lists = (names) => front.eventually(async () => assert.deepEqual(await shown(), names));
    await lists(["prompt_1_weight", "prompt_3_weight"]);
    await assertInside(front);
    await front.page.evaluate(() => {
      const mix = window.made.mix;
      mix.widgets.find((w) => w.name === "prompt_1_weight").value = -0.5;
      mix.disconnectInput(mix.inputs.findIndex((i) => i.name === "prompt_3"));
    });
    await lists(["prompt_1_weight"]);
    await front.shot("17-mixer");
    const read = () =>
      front.page.evaluate(() => {
        const node = window.app.graph.serialize().nodes.find((n) => n.type === "PEZ_PromptMixer");
        return [node.widgets_values, node.size[1]];
      });
    const [values, height] = await read();
    assert.equal(values.length, 7 + 1 + 12 + 1 + 8); // with the seed's "control after generate"
    assert.deepEqual(values.slice(8), [-0.5, ...Array(11).fill(1), ...Array(9).fill("")]);
    await front.page.evaluate(async () => {
      await window.app.loadGraphData(window.app.graph.serialize());
      const mix = window.app.graph.nodes.find((n) => n.type === "PEZ_PromptMixer");
      window.made = {
        mix,
        one: window.app.graph.nodes.find((n) => n.type === "PrimitiveString"),
      };
    });
    await lists(["prompt_1_weight"]);
    await front.eventually(async () => {
      const [again, heightAgain] = await read();
      assert.deepEqual(again, values);
      // Nodes 2.0 of 1.35.9 stretches every node by a fifth when it loads a classic workflow.
      const isStretched = front.vue && front.name.startsWith("1.35.9");
      const change = Math.abs(heightAgain - height);
      assert.ok(isStretched || change <= 2, `height ${height} became ${heightAgain}`);
    });
    await front.play({ mode: "cached" });
    await front.run();
    const { prompt } = await front.eventually(async () => {
      const log = await front.log();
      assert.equal(log.prompt.length, 1);
      return log;
    });
    const sent = Object.values(prompt[0].prompt);
    const { inputs } = sent.find((call) => call.class_type === "PEZ_PromptMixer");
    assert.equal(Object.keys(inputs).filter((k) => k.endsWith("_weight")).length, 12);
    assert.equal(inputs.prompt_1_weight, -0.5);
    await assertInside(front);
    await front.shot("18-mixer-done");
  },

  "inside a subgraph": async (front) => {
    await front.build(LEARN);
    await front.page.evaluate(() => {
      const { app, made } = window;
      const { subgraph, node } = app.graph.convertToSubgraph(new Set([made.learn]));
      window.sub = { subgraph, id: node.id };
      app.canvas.setGraph(subgraph);
      const inner = subgraph.nodes.find((n) => n.type === "PEZ_ImageToHardPrompt");
      window.made = { learn: inner };
      app.canvas.ds.scale = 1;
      app.canvas.ds.offset = [0, -250]; // 1.35.9 makes the node higher than the window
    });
    await front.page.waitForTimeout(700);
    await front.play({ mode: "hold" });
    await front.run();
    const panel = front.panel("learn");
    await panel.getByText("step 8 of 12").waitFor();
    await panel.getByText("Use best so far").click();
    await panel.getByText("stopped by you").waitFor();
    const path = await front.page.evaluate(() => `${window.sub.id}:${window.made.learn.id}`);
    assert.equal((await front.log()).finish[0].node, path);
    await front.shot("20-subgraph");
  },
};
