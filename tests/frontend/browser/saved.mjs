// Workflows that earlier versions have saved: every value and every wire is where it was. Models that
// have other names now are found.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const LEARNED = {
  model: "demo (clip-art only)", tokens: 5, preset: "fast", steps: 77, seed: 3, restarts: 2,
  learning_rate: 0.25, weight_decay: 0.5, vocabulary: "ascii", seconds: 9, template: "{4} cat",
  text_targets: "a dog", ban: "bird",
};
const MIXED = {
  mode: "concatenate", tokens: 12, model: "Flux.1 (CLIP-L: weak)", preset: "fast", seed: 4,
  vocabulary: "ascii", ban: "bird", prompt_1_weight: 0.5, prompt_2_weight: 1, image_1_weight: -1.5,
};
const WIRES = {
  2: { image: 1 },
  3: { prompt: 2, tokens: 2 },
  4: { prompt_1: 2, image_1: 1 },
};

function scenario(version) {
  return async (front) => {
    const file = new URL(`../saved/${version}.json`, import.meta.url);
    const workflow = JSON.parse(readFileSync(file, "utf8"));
    await front.page.evaluate((saved) => window.app.loadGraphData(saved), workflow);
    await front.page.waitForTimeout(1200);
    const found = await front.page.evaluate(() => {
      const { links } = window.app.graph;
      const linkOf = (id) => links.get?.(id) ?? links[id];
      const nodes = {};
      for (const node of window.app.graph.nodes ?? window.app.graph._nodes) {
        const values = (node.widgets ?? []).map((w) => [w.name, w.value]);
        const wires = (node.inputs ?? [])
          .filter((input) => input.link !== null && input.link !== undefined)
          .map(({ name, link }) => [name, Number(linkOf(link)?.origin_id)]);
        nodes[node.id] = { values: Object.fromEntries(values), wires: Object.fromEntries(wires) };
      }
      return nodes;
    });
    for (const [id, wires] of Object.entries(WIRES)) assert.deepEqual(found[id].wires, wires, id);
    const values = [
      [2, LEARNED],
      [4, MIXED],
    ];
    for (const [id, expected] of values) {
      for (const [name, value] of Object.entries(expected)) {
        assert.equal(found[id].values[name], value, name);
      }
    }
    await front.play({ mode: "cached" });
    await front.run();
    const inputs = await front.eventually(async () => {
      const { prompt } = await front.log();
      return prompt[0].prompt;
    });
    assert.equal(inputs[2].inputs.steps, 77);
    assert.deepEqual(inputs[3].inputs.prompt, ["2", 0]);
    assert.deepEqual(inputs[4].inputs.prompt_1, ["2", 0]);
    assert.equal(inputs[4].inputs.image_1_weight, -1.5);
    await front.shot(`50-saved-${version}`);
  };
}

export const saved = {
  "a workflow saved by 0.2.0": scenario("0.2.0"),
  "a workflow saved by 0.4.0": scenario("0.4.0"),
};
