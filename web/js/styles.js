// The pack's style sheet, from the folder this module came from: ComfyUI names it after the pack's.

/** Adds the style sheet to the page, once. */
export function loadStyles() {
  const href = new URL("../css/pez.css", import.meta.url).href;
  if ([...document.styleSheets].some((sheet) => sheet.href === href)) return;
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = href;
  document.head.appendChild(link);
}
