// The language of the panels: every text of the front end and every message of the nodes in Chinese.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { afterEach, test } from "node:test";
import { CHINESE, FROM_SERVER } from "../../web/js/chinese.js";
import { said, setLanguage, t } from "../../web/js/language.js";

const FOLDER = new URL("../../web/js/", import.meta.url);
const names = (text) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

afterEach(() => setLanguage("en"));

test("every text has its Chinese, and no Chinese is left over", () => {
  const used = new Set();
  for (const file of readdirSync(FOLDER)) {
    const code = readFileSync(new URL(file, FOLDER), "utf8");
    for (const [, text] of code.matchAll(/\bt\(\s*"((?:[^"\\]|\\.)*)"/g)) used.add(text);
  }
  assert.ok(used.size > 80);
  assert.deepEqual([...used].sort(), Object.keys(CHINESE).sort());
});

test("the Chinese has the same values, and Chinese signs", () => {
  for (const [english, chinese] of [...Object.entries(CHINESE), ...Object.entries(FROM_SERVER)]) {
    const needed = names(english);
    const missing = names(chinese).filter((name) => !needed.includes(name));
    assert.deepEqual(missing, [], english);
  }
});

test("a text in the language of the user, with its values", () => {
  assert.equal(t("step {step} of {total}", { step: 3, total: 9 }), "step 3 of 9");
  for (const locale of ["zh", "zh-TW", "ZH"]) {
    setLanguage(locale);
    assert.equal(t("step {step} of {total}", { step: 3, total: 9 }), "第 3 步，共 9 步");
  }
  assert.equal(t("no such text"), "no such text");
  setLanguage(undefined);
  assert.equal(t("Copy"), "Copy");
});

test("what the server says, with its values and in parts", () => {
  const note = "chosen by the model you paint with, which cannot tell the first 3 apart; error 0.812";
  assert.equal(said(note), note);
  setLanguage("zh");
  assert.equal(said(note), "由出图模型挑选，前 3 条它分不出高下；误差 0.812");
  assert.equal(
    said("learned for CLIP-G alone: `clip` contains no CLIP-L; with the projection of x.safetensors"),
    "只为 CLIP-G 学习：`clip` 里没有 CLIP-L；用了 x.safetensors 的投影层",
  );
  assert.equal(said("something (new) that nobody has translated"), "something (new) that nobody has translated");
  assert.equal(said(""), "");
});
