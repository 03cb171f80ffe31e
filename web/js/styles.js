// The pack's style sheet. Its URL is relative to this module, as ComfyUI names the folder.

/** Adds the style sheet to the page, once. */
export function loadStyles() {
  const href = new URL("../css/pez.css", import.meta.url).href;
  if ([...document.styleSheets].some((sheet) => sheet.href === href)) return;
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = href;
  document.head.appendChild(link);
}
