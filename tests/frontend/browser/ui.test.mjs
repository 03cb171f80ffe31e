// The pack in ComfyUI's real front end: every scenario in each version and each renderer.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { graph } from "./graph.mjs";
import { learner } from "./learner.mjs";
import { Front, SAFETY, startBrowser, startServer } from "./page.mjs";
import { following } from "./following.mjs";
import { panels } from "./panels.mjs";
import { ranker } from "./ranker.mjs";
import { runs } from "./runs.mjs";
import { saved } from "./saved.mjs";
import { texts } from "./texts.mjs";
import { viewer } from "./viewer.mjs";

const VERSIONS = (process.env.PEZ_FRONTS || "1.27.10,1.35.9,1.49.6,newest").split(",");
const RENDERERS = (process.env.PEZ_RENDERERS || "classic,nodes2").split(",");
// The graph's come last: the subgraph leaves the page inside it.
const SCENARIOS = { ...learner, ...viewer, ...texts, ...ranker, ...runs, ...panels, ...following, ...saved, ...graph };

let browser;
before(async () => {
  browser = await startBrowser();
});
after(() => browser?.close());

for (const version of VERSIONS) {
  for (const renderer of RENDERERS) {
    if (version === "1.27.10" && renderer === "nodes2") continue; // Nodes 2.0 came later
    describe(`front end ${version}, ${renderer}`, () => {
      /** @type {Front} */
      let front;
      let server;
      before(async () => {
        server = await startServer(version);
        const name = `${version}-${renderer}`;
        front = await Front.open({ browser, url: server.url, vue: renderer === "nodes2", name });
      });
      after(async () => {
        await front?.close();
        server?.stop();
      });
      for (const [name, scenario] of Object.entries(SCENARIOS)) {
        test(name, { timeout: 2 * SAFETY }, async () => {
          try {
            await scenario(front);
          } catch (error) {
            await front.shot(`FAILED-${name.replace(/\W+/g, "-")}`);
            throw error;
          }
          assert.deepEqual(front.errors.splice(0), [], "errors of our scripts");
        });
      }
    });
  }
}
