// Token Viewer: saves the edits in the node's hidden widget and shows them on the words.

import { chain, copyText } from "./dom.js";
import * as graph from "./graph.js";
import {
  banOf,
  editsFor,
  isEmpty,
  marksOf,
  noEdits,
  parseEdits,
  replaceWord,
  serialiseEdits,
  splitBans,
  templateOf,
  toggleBan,
  toggleLock,
} from "./edits.js";
import { t } from "./language.js";
import { addPanel, fill, flash } from "./panel.js";
import { pager, saveResults } from "./results.js";
import { withProblem } from "./run_panel.js";
import { createPopups, wordCard, wordMenu } from "./popup.js";
import { unknownWords, viewedView } from "./viewer.js";
import { forTyping } from "./words.js";

const MIN_HEIGHT = 150;
const hint = () => t("Run the workflow. The words of the prompt appear here.");
const hintEdited = () => t("The edits are saved. Their words appear after the next run.");

/**
 * @param {any} node
 * @param {any} app
 * @param {() => void} changed notifies ComfyUI of a change to save
 * @returns {(kind: string, detail: any) => void} handles the events of a run
 */
export function setUpViewer(node, app, changed) {
  const widget = graph.widgetOf(node, "edits");
  const panel = addPanel(node, MIN_HEIGHT);
  const popups = createPopups();
  let problem = ""; // why the last run failed
  const savedPayload = () => {
    const saved = node.properties?.pez;
    return saved?.kind === "viewed" && Array.isArray(saved.words) ? saved : null;
  };
  // The words of a template are initially locked. The node sends them until the first edit, then it
  // sends the edits instead. So they are saved with the workflow.
  const startLocks = (source) => {
    const start = node.properties?.pezStart;
    return start?.source === source ? start.locked : [];
  };
  const currentEdits = () => {
    const edits = parseEdits(widget?.value);
    const viewed = savedPayload();
    return viewed ? editsFor(edits, viewed.source, startLocks(viewed.source)) : edits;
  };

  function show() {
    popups.close();
    const edits = currentEdits();
    const viewed = savedPayload();
    const onReset = widget?.value ? () => set("") : null;
    const onSend = graph.learnerBefore(node) ? send : null;
    const view = viewed
      ? viewedView(viewed, edits, { onWord, onHover, onReset, onSend })
      : unknownWords(isEmpty(edits) ? hint() : hintEdited(), edits, { onReset });
    fill(panel, withProblem(problem, [pager(node, page), problem && !viewed ? null : view]));
  }

  function page() {
    show();
    changed();
  }

  const chipOf = (index) => panel.querySelector(`[data-word="${index}"]`);

  function set(value) {
    graph.oneStep(app, () => graph.setWidget(node, "edits", value));
    show();
  }

  function change(edits, index) {
    const start = editsFor(noEdits(), edits.source, startLocks(edits.source));
    set(serialiseEdits(edits, start));
    chipOf(index)?.focus({ preventScroll: true }); // the old chip is removed
  }

  function onHover(index, chip) {
    if (index === null) popups.closeCard();
    else {
      const { words, error } = savedPayload();
      popups.card(chip, wordCard(words[index], Number.isFinite(error)));
    }
  }

  function onWord(index, chip) {
    const { words } = savedPayload();
    const edits = currentEdits();
    const mark = marksOf(words, edits)[index];
    const menu = wordMenu(words[index], mark, {
      lock: () => change(toggleLock(edits, index, words), index),
      ban: () => change(toggleBan(edits, index, words), index),
      replace: (text) => change(replaceWord(edits, index, text), index),
      copy: () => {
        popups.close();
        void copyText(
          mark.replaced === null && !words[index].tokens.length
            ? words[index].text
            : forTyping(mark.replaced ?? words[index].text),
        );
        chip.focus({ preventScroll: true });
      },
    });
    popups.menu(chip, menu, () => chipOf(index)?.focus({ preventScroll: true }));
  }

  function send({ currentTarget: button }) {
    const learner = graph.learnerBefore(node);
    if (!learner) return show();
    const linked = ["template", "ban"].filter((name) => graph.isConnected(learner, name));
    if (linked.length) {
      const inputs = linked.join(", ");
      flash(button, t("connected on that node: {inputs}. Disconnect first", { inputs }));
      return;
    }
    const edits = currentEdits();
    const { words } = savedPayload();
    graph.oneStep(app, () => {
      // Without locked words the template is empty, and the node sets the number of tokens.
      const isLocked = marksOf(words, edits).some((mark) => mark.locked);
      graph.setWidget(learner, "template", isLocked ? templateOf(words, edits) : "");
      graph.setWidget(learner, "ban", mergedBans(learner, edits));
    });
    flash(button, t("sent"));
  }

  // Bans that a user typed into the node stay. Bans of the last "Send to node" are replaced.
  function mergedBans(learner, edits) {
    const typed = splitBans(String(graph.widgetOf(learner, "ban")?.value ?? ""));
    const sent = new Set(node.properties.pezSentBans ?? []);
    const theirs = typed.filter((entry) => !sent.has(entry));
    const ours = splitBans(banOf(edits)).filter((entry) => !theirs.includes(entry));
    node.properties.pezSentBans = ours;
    return [...theirs, ...ours].join(", ");
  }

  chain(node, "onConfigure", show);
  chain(node, "onConnectionsChange", show); // "Send to node" needs the link
  chain(node, "onRemoved", () => popups.close());
  show();

  return (kind, detail) => {
    if (kind === "failed") {
      problem = detail.message;
      show();
    }
    if (kind !== "result") return;
    problem = "";
    saveResults(node, detail);
    const [first] = detail;
    if (parseEdits(widget?.value).source !== first.source) {
      const { locked } = parseEdits(first.edits);
      node.properties.pezStart = { source: first.source, locked };
    }
    page();
  };
}
