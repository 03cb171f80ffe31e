// What the scenarios share: graphs to begin with, reading a panel, choosing from a word's menu.

import assert from "node:assert/strict";

export const LEARN = {
  picture: { type: "EmptyImage", pos: [80, 140] },
  learn: { type: "PEZ_ImageToHardPrompt", pos: [400, 100], links: { image: "picture.0" } },
};
export const VIEW = {
  ...LEARN,
  view: {
    type: "PEZ_TokenViewer",
    pos: [840, 140],
    links: { prompt: "learn.0", tokens: "learn.2" },
  },
};

/** Moves the canvas. Nodes 2.0 of 1.35.9 makes our nodes higher than the window. */
export async function scrolled(front, y) {
  await front.page.evaluate((to) => {
    window.app.canvas.ds.offset = [0, to];
    window.app.canvas.setDirty(true, true);
  }, y);
}

/** The chips of a panel, words joined as they are read. */
export function chips(panel) {
  return panel.locator(".pez-word").evaluateAll((words) => words.map((word) => word.textContent));
}

export async function widgetValue(front, node, name) {
  const read = ([n, w]) => window.made[n].widgets.find((x) => x.name === w).value;
  return front.page.evaluate(read, [node, name]);
}

/** No panel reaches beyond its node, once the page has laid them out. */
export function assertInside(front) {
  return front.eventually(() => checkInside(front));
}

async function checkInside(front) {
  const out = await front.page.evaluate(() => {
    const { ds } = window.app.canvas;
    const canvas = window.app.canvas.canvas.getBoundingClientRect();
    return Object.values(window.made)
      .filter((node) => node.widgets?.some((w) => w.type === "PEZ_PANEL"))
      .map((node) => {
        const panel = node.widgets.find((w) => w.type === "PEZ_PANEL").element;
        const rect = panel.getBoundingClientRect();
        const html = panel.closest("[data-node-id]")?.getBoundingClientRect();
        const bottom = canvas.top + (node.pos[1] + node.size[1] + ds.offset[1]) * ds.scale;
        const right = canvas.left + (node.pos[0] + node.size[0] + ds.offset[0]) * ds.scale;
        const limit = html ?? { bottom, right };
        return {
          type: node.type,
          below: Math.round(rect.bottom - limit.bottom),
          beside: Math.round(rect.right - limit.right),
          height: Math.round(rect.height),
          wide: panel.scrollWidth - panel.clientWidth,
        };
      });
  });
  for (const p of out) {
    const isInside = p.below <= 0 && p.beside <= 0 && p.height >= 60 && p.wide <= 0;
    assert.ok(isInside, `beyond the node: ${JSON.stringify(p)}`);
  }
}

/** Clicks a word of the viewer and an entry of its menu. */
export async function choose(front, panel, word, entry) {
  await panel.locator(".pez-token-word", { hasText: word }).first().click();
  await front.page.locator(".pez-popup button", { hasText: entry }).first().click();
}

/** Runs a search, interrupts it at step 8, and waits until its panel says so. */
export async function interruptedRun(front, panel) {
  await front.play({ mode: "hold" });
  await front.run();
  await panel.getByText("step 8 of 12").waitFor();
  await front.page.evaluate(() => fetch("/api/interrupt", { method: "POST" }));
  await panel.getByText("interrupted, best so far").waitFor();
}
