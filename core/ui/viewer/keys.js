/* Whose a key is: the viewer's, the page's, or nobody's. Follows viewer.js. */

const ANYWHERE = ["ArrowLeft", "ArrowRight", "j", "k"]; // step wherever on the page the focus is,
const OWN_KEYS = ["input", "textarea", "select", "canvas", "[contenteditable]", ...[
  "slider", "radio", "tab", "option", "combobox", "menuitem", "grid"].map((role) => `[role=${role}]`),
].join(); // but in what has keys of its own

Object.assign(Viewer.prototype, {
  watchKeys() {
    this.pressed = (event) => {
      const busy = event.target.shadowRoot || event.target.closest?.(OWN_KEYS);
      const free = this.frame && this.current !== null && !busy && !event.shiftKey;
      if (free && !event.defaultPrevented && ANYWHERE.includes(event.key)) this.key(event);
    };
    document.addEventListener("keydown", this.pressed);
  },

  ignoreKeys() {
    document.removeEventListener("keydown", this.pressed);
  },

  hasDigits() { // whether digits choose a window here
    return !this.pageKeys.includes("1");
  },

  showPageKeys(rows) { // in the help, above the viewer's own
    this.root.querySelectorAll(".help .digits").forEach((row) => { row.hidden = !this.hasDigits(); });
    this.root.querySelectorAll(".help .of-page").forEach((row) => row.remove());
    const told = rows.flat().map((text, at) => {
      const row = document.createElement(at % 2 ? "dd" : "dt");
      [row.className, row.textContent] = ["of-page", text];
      return row;
    });
    this.root.querySelector(".help dl").prepend(...told);
    const presets = this.root.querySelector("[aria-label='Window preset']");
    presets.title = this.hasDigits() ? "Window preset (1 to 9)" : "Window preset";
  },
});
