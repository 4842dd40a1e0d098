/* The browser's half of core.ui.viewer: which image is open, the bar, and the keys. Comes after
pane.js and tools.js; pointing.js, pair.js, fetching.js and cards.js add to it. */

const MOST_KEPT = 8; // decoded images
const AHEAD = [1, 2, -1, 3]; // fetched once the image in view is there, in this order
const TOOLS = ["window", "pan", "ruler", "lens"]; // what the left button, or a finger, does
const KEYS = {
  ArrowLeft: "previous", PageUp: "previous", k: "previous",
  ArrowRight: "next", PageDown: "next", j: "next",
  i: "invert", "+": "in", "=": "in", "-": "out", f: "fit", 0: "actual", r: "reset",
  h: "mirror", o: "rotate", p: "pan", m: "ruler", z: "lens", g: "screen", c: "compare",
  l: "keep", "?": "help", a: "narrower", d: "wider", s: "lower", w: "higher", Escape: "leave",
};
const WINDOWS = ["invert", "reset", "narrower", "wider", "lower", "higher"]; // what changes greys
const PANS = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] };
const viewers = new WeakMap();

export default function mount({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".viewer");
  let viewer = viewers.get(root);
  if (!viewer) viewers.set(root, (viewer = new Viewer(root)));
  viewer.tell = (image_id) => setTriggerValue("step", image_id);
  viewer.frame = data.cards ? root.getRootNode().host?.closest(data.cards) : null;
  viewer.pageKeys = data.page_keys;
  viewer.showPageKeys(data.page_help);
  viewer.update(data);
  return () => viewer.close();
}

class Viewer {
  constructor(root) {
    const find = (name) => root.querySelector(name);
    [this.root, this.stage, this.help] = [root, find(".stage"), find(".help")];
    [this.status, this.caption] = [find(".status"), find(".caption")];
    [this.select, this.others] = [find("select.presets"), find("select.others")];
    this.panes = [new Pane(find(".pane"))];
    [this.active] = this.panes;
    this.kept = new Map(); // image_id -> { address, control, promise, image, trouble }
    [this.images, this.priors, this.current, this.given] = [[], [], null, null];
    [this.untold, this.fingers, this.comparing] = [[], new Map(), null];
    [this.keep, this.linked, this.together, this.tool] = [false, true, true, "window"];
    this.owed = 0; // steps beyond the images that the page has named
    this.shownOf = null; // the source of the images, as the page names it
    this.addresses = new Map(); // by image_id, the last that the page gave
    this.listen();
  }

  get image() {
    return this.panes[0].image;
  }

  listen() {
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.root.querySelector(".bar").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.do(button.dataset.do);
    });
    this.select.addEventListener("change", () => this.preset(this.select.selectedIndex - 1));
    this.stage.addEventListener("click", (event) => event.target.closest(".card button")
      && this.again());
    this.observer = new ResizeObserver(() => this.resize());
    for (const one of [this.stage, this.panes[0].element]) this.observer.observe(one);
    this.screened = () => this.showState();
    document.addEventListener("fullscreenchange", this.screened);
    this.listenToPointers();
    this.listenToPair();
    this.watchCards();
    this.watchKeys();
    this.choose("window");
  }

  close() {
    this.observer.disconnect();
    this.ignoreCards();
    this.ignoreKeys();
    this.forget();
    clearTimeout(this.speaking);
    document.removeEventListener("fullscreenchange", this.screened);
    viewers.delete(this.root);
  }

  // What the page says

  update({ source, images, at, caption, height, priors }) {
    if (source !== this.shownOf) this.forget();
    [this.shownOf, this.images, this.words] = [source, images, caption];
    for (const { image_id, address } of images) this.addresses.set(image_id, address);
    this.stage.style.height = height ? `${height}px` : "";
    const asked = images[at]?.image_id ?? null;
    const told = this.untold.lastIndexOf(asked);
    // A rerun that began before a step still names the image before it.
    const behind = asked === this.given && this.untold.length && told < 0;
    if (told >= 0) this.untold.splice(0, told + 1);
    else if (!behind) [this.untold, this.owed] = [[], 0];
    this.given = asked;
    if (!this.untold.length) this.show(asked);
    else this.ahead();
    this.catchUp();
    this.announce();
    this.offer(this.untold.length ? [] : priors);
    this.name();
  }

  show(image_id) {
    clearTimeout(this.overdue);
    this.unfold(image_id);
    if (image_id === null) return this.putAway();
    const same = image_id === this.current;
    if (same && (this.image || !this.changed(image_id))) return this.ahead();
    if (!same) this.part();
    this.current = image_id;
    this.began = performance.now();
    const entry = this.fetch(image_id);
    this.name();
    if (entry.image) return this.open(entry);
    this.panes[0].clear();
    this.stage.setAttribute("aria-busy", "true");
    this.draw();
    entry.promise.then(() => {
      const wanted = this.current === image_id && this.kept.get(image_id) === entry;
      if (wanted) this.open(entry);
    });
    this.ahead();
  }

  open(entry) {
    this.stage.removeAttribute("aria-busy");
    const [pane] = this.panes;
    const kept = this.keep && this.lastBits === entry.image?.bits && pane.window ? pane : null;
    pane.say(entry.trouble ?? "");
    pane.open(entry.image ?? null, kept);
    if (entry.image) this.lastBits = entry.image.bits;
    this.list();
    this.draw(() => {
      this.stage.dataset.image = this.current;
      this.stage.dataset.ms = (performance.now() - this.began).toFixed(1);
    });
    this.ahead();
  }

  name() {
    const behind = this.untold.length > 0 || this.owed;
    this.caption.textContent = behind ? "…" : this.words;
    const label = `X-ray ${this.current}. Press ? for keys.`;
    this.stage.setAttribute("aria-label", label);
    const at = this.images.findIndex((image) => image.image_id === this.current);
    const about = this.images[at]?.corner ?? "";
    if (about !== this.panes[0].about) this.draw();
    this.panes[0].about = about;
    this.others.hidden = behind || !this.priors.length;
    this.button("previous").disabled = at <= 0;
    this.button("next").disabled = at < 0 || at === this.images.length - 1;
  }

  list() { // the windows of the active image
    const windows = this.active.image?.windows ?? [];
    const numbered = (i) => i < 9 && this.hasDigits();
    const names = windows.map((p, i) => new Option(numbered(i) ? `${i + 1} ${p.name}` : p.name));
    this.select.replaceChildren(new Option("Window"), ...names);
  }

  // What a person does

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.tagName === "SELECT" && event.key !== "Escape") return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (this.pageKeys.includes(key)) return;
    if (event.shiftKey && PANS[key]) {
      this.active.pan(...PANS[key]);
      this.moved(this.active);
    } else if (/^[1-9]$/.test(key)) this.preset(Number(key) - 1);
    else if (KEYS[key]) this.do(KEYS[key]);
    else return;
    event.preventDefault();
    event.stopPropagation(); // Streamlit has keys of its own, such as R
  }

  do(what) {
    if (what === "previous" || what === "next") return this.step(what === "next" ? 1 : -1);
    if (what === "help") return this.toggleHelp(this.help.hidden);
    if (what === "leave") return this.leaveTool();
    if (what === "screen") return this.fullScreen();
    if (what === "compare") return this.comparing ? this.part() : this.comparePrior();
    if (TOOLS.includes(what)) return this.choose(what === this.tool ? "window" : what);
    if (what === "keep" || what === "link") {
      const name = what === "keep" ? "keep" : "linked";
      this[name] = !this[name];
      this.showState();
      if (what === "link") return this.moved(this.active);
      return this.speak(this.keep ? "Window kept for the next image" : "Each image in its window");
    }
    const pane = this.active;
    if (!pane.image) return;
    if (what === "together") {
      this.together = !this.together;
      this.windowed(pane);
      return this.draw();
    }
    if (what === "invert") pane.inverted = !pane.inverted;
    else if (what === "mirror") pane.mirror();
    else if (what === "rotate") pane.rotate();
    else if (what === "in" || what === "out") pane.zoom(what === "in" ? 1.25 : 0.8);
    else if (what === "fit") pane.fit();
    else if (what === "actual") pane.actual();
    else if (what === "reset") pane.open(pane.image);
    else if (what === "narrower" || what === "wider") pane.shift(what === "wider" ? 0.05 : -0.05, 0);
    else if (what === "lower" || what === "higher") pane.shift(0, what === "higher" ? 0.05 : -0.05);
    pane.stale ||= what === "invert";
    if (WINDOWS.includes(what)) this.windowed(pane);
    this.moved(pane);
  }

  choose(tool) {
    [this.tool, this.stage.dataset.tool] = [tool, tool];
    if (tool !== "lens") this.lensAt(null);
    this.showState();
  }

  leaveTool() { // one thing after the other
    if (!this.help.hidden) return this.toggleHelp(false);
    if (this.tool !== "window") return this.choose("window");
    if (this.comparing) return this.part();
    this.root.getRootNode().activeElement?.blur();
  }

  comparePrior() {
    if (!this.priors.length || this.untold.length) return this.speak("No other X-ray to compare");
    this.others.selectedIndex = 1;
    this.compare(this.priors[0].image_id);
  }

  fullScreen() {
    if (this.root.getRootNode().fullscreenElement) return document.exitFullscreen();
    // Where a browser allows it to films only, the viewer covers the page.
    const covered = () => this.root.classList.toggle("covering");
    if (this.root.requestFullscreen) this.root.requestFullscreen().catch(covered);
    else covered();
    this.stage.focus({ preventScroll: true });
  }

  toggleHelp(open) {
    this.help.hidden = !open;
    this.button("help").setAttribute("aria-expanded", String(open));
    if (open) this.speak(this.help.innerText);
  }

  preset(index) {
    this.active.preset(index);
    this.windowed(this.active);
    this.draw();
  }

  resize() {
    this.leave();
    this.refit();
  }

  // What is drawn and said

  draw(then) {
    if (then) this.then = [...(this.then ?? []), then];
    if (this.drawing) return;
    this.drawing = requestAnimationFrame(() => {
      this.drawing = null;
      for (const pane of this.panes) pane.paint();
      this.showState();
      for (const done of this.then ?? []) done();
      this.then = null;
    });
  }

  showState() {
    const { image, window, inverted, ruler } = this.active;
    const pressed = { invert: image && inverted, keep: this.keep, link: this.linked,
      together: this.together,
      screen: this.root.getRootNode().fullscreenElement };
    for (const tool of TOOLS) pressed[tool] = this.tool === tool;
    for (const [name, is] of Object.entries(pressed)) {
      this.button(name).setAttribute("aria-pressed", String(Boolean(is)));
    }
    this.button("link").hidden = !this.comparing;
    this.button("together").hidden = !this.comparing || !this.oneKind();
    if (!image) return;
    this.select.selectedIndex = 1 + image.windows.findIndex((p) => alike(p, window));
    const turned = this.active.turnWords();
    const said = [this.active.windowWords(), `zoom ${this.active.percent()} %`,
      inverted && "inverted", turned.toLowerCase(), ruler && lengthWords(image, ruler)];
    this.speak(`${said.filter(Boolean).join(", ")}${this.active.enlarged()}`);
  }

  speak(words) { // once the hand rests
    if (words === this.spoken) return;
    this.spoken = words;
    clearTimeout(this.speaking);
    this.speaking = setTimeout(() => { this.status.textContent = words; }, 500);
  }

  button(name) {
    return this.root.querySelector(`[data-do="${name}"]`);
  }
}
