// The card with the numbers of a word, and the menu of its edits. Both are children of the body,
// because a node's panel scrolls and would clip them.

import { button, el } from "./dom.js";
import { t } from "./language.js";
import { unread, asError, asSimilarity, signed } from "./words.js";

const GAP = 4;

/**
 * The popups of one node: at most one card and one menu.
 * @returns {{card(anchor: HTMLElement, content: HTMLElement): void, closeCard(): void,
 *            menu(anchor: HTMLElement, content: HTMLElement, focusBack: () => void): void,
 *            close(): void}}
 */
export function createPopups() {
  let card = null;
  let closeMenu = null;
  const closeCard = () => {
    card?.remove();
    card = null;
  };
  const close = () => {
    closeCard();
    closeMenu?.();
  };
  return {
    closeCard,
    close,
    card(anchor, content) {
      if (closeMenu) return; // the pointer crosses other words on its way to the menu
      closeCard();
      card = place(el("div", { class: "pez-popup pez-card", role: "tooltip" }, [content]), anchor);
    },
    menu(anchor, content, focusBack) {
      close();
      const popup = el("div", { class: "pez-popup pez-menu", role: "menu" }, [content]);
      const outside = (event) => {
        if (!popup.contains(event.target)) closeMenu?.();
      };
      closeMenu = () => {
        closeMenu = null;
        popup.remove();
        for (const name of ["pointerdown", "wheel"])
          window.removeEventListener(name, outside, true);
      };
      for (const name of ["pointerdown", "wheel"]) window.addEventListener(name, outside, true);
      popup.addEventListener("keydown", (event) => menuKey(event, popup, close, focusBack));
      place(popup, anchor);
      popup.querySelector("button")?.focus({ preventScroll: true });
    },
  };
}

// The menu stops all keys. Otherwise ComfyUI's own bindings would use Delete, arrows and Escape.
function menuKey(event, popup, close, focusBack) {
  event.stopPropagation();
  const items = [...popup.querySelectorAll("button, input")];
  const at = items.indexOf(/** @type {any} */ (document.activeElement));
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) {
    items[(at + step + items.length) % items.length].focus();
    event.preventDefault();
  } else if (event.key === "Escape") {
    close();
    focusBack();
    event.preventDefault();
  } else if (event.key === "Tab") {
    close(); // the focus continues from the chip
    focusBack();
  }
}

function place(popup, anchor) {
  document.body.appendChild(popup);
  const at = anchor.getBoundingClientRect();
  const own = popup.getBoundingClientRect();
  const below = at.bottom + GAP;
  const fits = below + own.height <= window.innerHeight;
  const top = fits ? below : Math.max(GAP, at.top - GAP - own.height);
  const left = Math.max(GAP, Math.min(at.left, window.innerWidth - own.width - GAP));
  popup.style.setProperty("top", `${top}px`);
  popup.style.setProperty("left", `${left}px`);
  return popup;
}

/**
 * @param {import("./edits.js").Word} word
 * @param {boolean} [byError] whether a painter's errors were measured, not similarities
 * @returns {HTMLElement} the tokens of a word, their contributions, and the nearest words
 */
export function wordCard(word, byError = false) {
  const rows = word.tokens.map((token) =>
    el("tr", {}, [
      el("td", { text: token.text }),
      el("td", { text: withoutIt(token.contribution, byError) }),
    ]),
  );
  const near = word.alternatives ?? [];
  const ids = word.tokens.map((token) => token.id).join(", ");
  return el("div", {}, [
    rows.length ? null : el("div", { text: unread() }),
    el("table", {}, [el("tbody", {}, rows)]),
    ...Object.entries(word.pulls ?? {}).map(([concept, pull]) =>
      el("div", {
        text: t("{change} to “{concept}” without it", { change: signed(-pull), concept }),
      }),
    ),
    near.length ? el("div", { class: "pez-heading", text: byError ? t("In its place, with their error") : t("In its place, with their similarity") }) : null,
    ...near.map((other) => el("div", { text: `${other.text}  ${fitOf(other)}` })),
    rows.length ? el("div", { class: "pez-quiet", text: t("token ids: {ids}", { ids }) }) : null,
  ]);
}

/**
 * @param {number | null | undefined} contribution
 * @param {boolean} [byError]
 * @returns {string} "−0.031 without it", or "error +0.031 without it"
 */
export function withoutIt(contribution, byError = false) {
  if (!Number.isFinite(contribution)) return t("not measured");
  return byError
    ? t("error {change} without it", { change: signed(contribution) })
    : t("{change} without it", { change: signed(-contribution) });
}

/** @returns {string} how well the prompt fits with an alternative: its error, or its similarity */
function fitOf(other) {
  return Number.isFinite(other.error) ? asError(other.error) : asSimilarity(other.similarity);
}

/**
 * @param {import("./edits.js").Word} word
 * @param {import("./edits.js").Mark} mark
 * @param {{lock(): void, ban(): void, replace(text: string | null): void, copy(): void}} actions
 * @returns {HTMLElement}
 */
export function wordMenu(word, mark, actions) {
  const item = (label, action) => button(label, action, { role: "menuitem" });
  const alternatives = (word.alternatives ?? []).map((other) => {
    const props = { role: "menuitem", class: "pez-alternative" };
    const entry = button("", () => actions.replace(other.text), props);
    const fit = el("span", { class: "pez-quiet", text: fitOf(other) });
    entry.append(el("span", { text: other.text }), fit);
    return entry;
  });
  const menu = el("div", { class: "pez-menu" }, [
    item(mark.locked ? t("Unlock") : t("Lock"), actions.lock),
    item(mark.banned ? t("Allow again") : t("Ban"), actions.ban),
    item(t("Copy"), actions.copy),
    mark.replaced !== null
      ? item(t("Back to “{word}”", { word: word.text }), () => actions.replace(null))
      : null,
    el("div", { class: "pez-heading", text: t("Replace by") }),
    replaceField(mark.replaced ?? "", actions.replace),
    ...alternatives,
  ]);
  return menu;
}

/** A field for any words in the place of this one. */
function replaceField(value, replace) {
  const field = /** @type {HTMLInputElement} */ (
    el("input", { class: "pez-field", type: "text", placeholder: t("other words, then Enter") })
  );
  field.value = value;
  field.addEventListener("keydown", (event) => {
    const text = field.value.trim();
    if (event.key === "Enter" && text) replace(text);
  });
  return field;
}
