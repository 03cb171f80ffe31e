// The pack installed twice: ComfyUI serves and loads the front end of both folders.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { newDocument } from "./fake_page.mjs";

const WEB = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "web");
const FOLDERS = ["comfyui-pez", "comfyui-pez-main"];

let site;
before(() => {
  // The files as ComfyUI serves them. Its own scripts hand out what the page holds.
  site = mkdtempSync(join(tmpdir(), "pez-site-"));
  for (const name of FOLDERS) cpSync(WEB, join(site, "extensions", name), { recursive: true });
  mkdirSync(join(site, "scripts"));
  writeFileSync(join(site, "scripts", "package.json"), '{"type": "module"}');
  for (const name of ["app", "api"]) {
    const code = `export const ${name} = globalThis.window.${name};\n`;
    writeFileSync(join(site, "scripts", `${name}.js`), code);
  }
});
after(() => rmSync(site, { recursive: true }));

/** ComfyUI's app: a second extension of a name is an error, as in the real one. */
function newApp() {
  return {
    extensions: [],
    registerExtension(extension) {
      if (this.extensions.some((one) => one.name === extension.name))
        throw new Error(`Extension named '${extension.name}' already registered.`);
      this.extensions.push(extension);
    },
  };
}

test("one of two copies serves the page, and the console names the other", async (t) => {
  newDocument();
  const warn = t.mock.method(console, "warn", () => {});
  const app = newApp();
  Object.assign(globalThis.window, { app, api: {}, sessionStorage: null });
  for (const name of FOLDERS) {
    await import(pathToFileURL(join(site, "extensions", name, "js", "pez.js")).href);
  }
  assert.deepEqual(
    app.extensions.map((one) => one.name),
    ["pez.nodes"],
  );
  const said = warn.mock.calls.map((call) => call.arguments.join(" "));
  assert.equal(said.length, 1);
  assert.match(said[0], /installed twice.*comfyui-pez-main/);
});
