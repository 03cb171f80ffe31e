// A browser page with ComfyUI's real front end, our pack and the stand-in server.

import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const HERE = dirname(fileURLToPath(import.meta.url));
const SHOTS = process.env.PEZ_SCREENSHOTS || join(HERE, "..", "screenshots");
/** Milliseconds; only what hangs for ever comes to their end, and that is a failure. */
export const SAFETY = Number(process.env.PEZ_SAFETY) || 300000;
const ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage"];

/** Starts the server for one version of the front end. @returns {Promise<{url: string, stop(): void}>} */
export async function startServer(version) {
  const front = join(HERE, "..", ".front", version);
  const server = spawn(
    process.env.PYTHON || "python3",
    [join(HERE, "..", "server.py"), "--front", front],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const port = await new Promise((resolve, reject) => {
    server.stdout.once("data", (data) => resolve(Number(String(data).trim())));
    server.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
  });
  return { url: `http://127.0.0.1:${port}`, stop: () => server.kill() };
}

export function startBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ARGS,
  });
}

/** One page of the front end with helpers; `errors` collects what went wrong in our own scripts. */
export class Front {
  /** @param {{browser: any, url: string, vue: boolean, name: string}} options */
  static async open({ browser, url, vue, name, settings = {} }) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
    await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: url });
    const front = new Front();
    Object.assign(front, { context, url, vue, name, errors: [] });
    front.page = await context.newPage();
    front.page.setDefaultTimeout(SAFETY);
    const ours = (text) => /comfyui-pez|PEZ_|pez\b/.test(text);
    front.page.on("pageerror", (error) => {
      if (ours(String(error.stack))) front.errors.push(String(error.stack));
    });
    front.page.on("console", (m) => {
      if (m.type() === "error" && ours(m.text())) front.errors.push(m.text());
    });
    const plain = { "Comfy.TutorialCompleted": true, "Comfy.Minimap.Visible": false };
    await front.post("/settings", { "Comfy.VueNodes.Enabled": vue, ...plain, ...settings });
    await front.load();
    return front;
  }

  async load() {
    await this.page.goto(this.url, { waitUntil: "domcontentloaded" });
    const ready = () =>
      window.app?.graph &&
      window.app.extensionManager &&
      window.LiteGraph?.registered_node_types?.PEZ_TokenViewer;
    await this.page.waitForFunction(ready, null, { timeout: SAFETY });
    await this.page.waitForTimeout(1500); // the front end opens its first workflow after that
    await this.page.keyboard.press("Escape");
    await this.eventually(async () => {
      const state = await this.page.evaluate(() => Boolean(window.LiteGraph.vueNodesMode));
      if (state !== this.vue) throw new Error(`the renderer is not the wanted one (${this.name})`);
    });
  }

  /** Makes a check again until it passes, however slow the page is; its last error after SAFETY. */
  async eventually(check) {
    const end = Date.now() + SAFETY;
    for (;;) {
      try {
        return await check();
      } catch (error) {
        if (Date.now() > end) throw error;
        await this.page.waitForTimeout(100);
      }
    }
  }

  async post(path, body) {
    const answer = await this.context.request.post(this.url + path, { data: body });
    if (!answer.ok()) throw new Error(`${path}: ${answer.status()}`);
  }

  /** How the next runs go; forgets what was logged before. */
  play(how = {}) {
    return this.post("/test/play", how);
  }

  async log() {
    return (await this.context.request.get(`${this.url}/test/log`)).json();
  }

  /**
   * Clears the graph and adds nodes: {name: {type, pos, size?, links: {input: "name.slot"}}}. Their
   * ids follow `last`, or else those that were there: the front end 1.49.6 gives a new node the
   * values of a former one with the same id.
   */
  async build(nodes, last = null) {
    await this.page.evaluate(([plan, id]) => {
      const { app, LiteGraph } = window;
      const last = id ?? app.graph.last_node_id;
      app.graph.clear();
      app.graph.last_node_id = last;
      const made = {};
      for (const [name, { type, pos, values = {} }] of Object.entries(plan)) {
        const node = LiteGraph.createNode(type);
        node.pos = pos;
        app.graph.add(node);
        made[name] = node;
        for (const [key, value] of Object.entries(values)) {
          node.widgets.find((w) => w.name === key).value = value;
        }
      }
      for (const [name, { links = {} }] of Object.entries(plan)) {
        for (const [input, from] of Object.entries(links)) {
          const [origin, slot] = from.split(".");
          const index = made[name].inputs.findIndex((i) => i.name === input);
          made[origin].connect(Number(slot), made[name], index);
        }
      }
      window.made = made;
      app.canvas.ds.scale = 1;
      app.canvas.ds.offset = [0, 0];
      app.canvas.setDirty(true, true);
    }, [nodes, last]);
    await this.page.waitForTimeout(400);
  }

  /** Queues the graph, as the Run button does. */
  async run() {
    await this.page.evaluate(() => void window.app.queuePrompt(0, 1));
  }

  /** The panel of a node of `build`. */
  panel(name) {
    const type = {
      learn: "PEZ_ImageToHardPrompt",
      view: "PEZ_TokenViewer",
      mix: "PEZ_PromptMixer",
      rank: "PEZ_PromptRanker",
    }[name];
    return this.page.locator(`.pez-panel[data-pez="${type}"]`).first();
  }

  async shot(name) {
    mkdirSync(SHOTS, { recursive: true });
    await this.page.screenshot({ path: join(SHOTS, `${this.name}-${name}.png`) });
  }

  close() {
    return this.context.close();
  }
}
