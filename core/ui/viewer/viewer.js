/* The browser's half of core.ui.viewer: windows an image and draws it. Follows samples.js.

A window is a center and a width: black up to center - width / 2, white from center + width / 2;
or, where a DICOM file says so, its function is SIGMOID (PS3.3 C.11.2.1.3.1).
A view is a scale (CSS pixels to a sample) and the sample in the middle of the stage. */

const MOST_KEPT = 8; // decoded images
const AHEAD = [1, 2, -1, 3]; // fetched once the image in view is there, in this order
const DRAG_FOR_WHOLE_WIDTH = 400; // CSS pixels of drag that change by the image's own window width
const REMINDER_MS = 5000; // after which the page is told again of a step it has not followed
const PATIENCE_MS = 15000; // how long the page may take to follow it
const MOST_SCALE = 40;
const KEYS = {
  ArrowLeft: "previous", PageUp: "previous", k: "previous",
  ArrowRight: "next", PageDown: "next", j: "next",
  i: "invert", "+": "in", "=": "in", "-": "out", f: "fit", 0: "actual", r: "reset",
  l: "keep", "?": "help", a: "narrower", d: "wider", s: "lower", w: "higher", Escape: "leave",
};
const PANS = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] };
const viewers = new WeakMap();

export default function mount({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".viewer");
  let viewer = viewers.get(root);
  if (!viewer) viewers.set(root, (viewer = new Viewer(root)));
  viewer.tell = (image_id) => setTriggerValue("step", image_id);
  viewer.frame = data.cards ? root.getRootNode().host?.closest(data.cards) : null;
  viewer.pageKeys = data.page_keys;
  viewer.update(data);
  return () => viewer.close();
}

// The viewer

class Viewer {
  constructor(root) {
    const find = (name) => root.querySelector(name);
    [this.root, this.stage, this.canvas] = [root, find(".stage"), find("canvas")];
    [this.card, this.help, this.status] = [find(".card"), find(".help"), find(".status")];
    [this.caption, this.select] = [find(".caption"), find("select")];
    [this.source, this.corner] = [find(".source"), find(".note.window")];
    this.kept = new Map(); // image_id -> { address, control, promise, image, trouble }
    [this.images, this.current, this.given, this.untold] = [[], null, null, []];
    [this.image, this.keep, this.fingers] = [null, false, new Map()];
    this.shownOf = null; // the source of the images, as the page names it
    this.addresses = new Map(); // by image_id, the last that the page gave
    this.inner = document.createElement("canvas"); // the image windowed, at its own size
    this.listen();
  }

  listen() {
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.root.querySelector(".bar").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.do(button.dataset.do);
    });
    this.select.addEventListener("change", () => this.preset(this.select.selectedIndex - 1));
    const on = (name, handler) => this.stage.addEventListener(name, handler, { passive: false });
    on("pointerdown", (event) => this.down(event));
    on("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) {
      on(name, (event) => this.fingers.delete(event.pointerId));
    }
    on("wheel", (event) => { // who scrolls past it goes on scrolling
      if (!event.ctrlKey && !this.root.contains(this.root.getRootNode().activeElement)) return;
      event.preventDefault();
      this.zoom(Math.exp(-Math.max(-200, Math.min(200, event.deltaY)) / 500), this.place(event));
    });
    on("dblclick", (event) => event.target.closest(".card, .help") || this.do("fit"));
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.stage);
    this.watchCards();
  }

  close() {
    this.observer.disconnect();
    this.ignoreCards();
    this.forget();
    clearTimeout(this.speaking);
    viewers.delete(this.root);
  }

  // What the page says

  update({ source, images, at, caption, height }) {
    if (source !== this.shownOf) this.forget();
    [this.shownOf, this.images, this.words] = [source, images, caption];
    for (const { image_id, address } of images) this.addresses.set(image_id, address);
    this.stage.style.height = `${height}px`;
    const asked = images[at]?.image_id ?? null;
    const told = this.untold.lastIndexOf(asked);
    // A rerun that began before a step still names the image before it.
    const behind = asked === this.given && this.untold.length && told < 0;
    if (told >= 0) this.untold.splice(0, told + 1);
    else if (!behind) this.untold = [];
    this.given = asked;
    if (!this.untold.length) this.show(asked);
    else this.ahead();
    this.name();
  }

  show(image_id) {
    clearTimeout(this.overdue);
    this.unfold(image_id);
    if (image_id === null) return this.putAway();
    const same = image_id === this.current;
    if (same && (this.image || !this.changed(image_id))) return this.ahead();
    this.current = image_id;
    this.began = performance.now();
    const entry = this.fetch(image_id);
    this.name();
    if (entry.image) return this.open(entry);
    this.image = null;
    this.stage.setAttribute("aria-busy", "true");
    this.say("");
    this.draw();
    entry.promise.then(() => {
      const wanted = this.current === image_id && this.kept.get(image_id) === entry;
      if (wanted) this.open(entry);
    });
    this.ahead();
  }

  open(entry) {
    this.stage.removeAttribute("aria-busy");
    const before = this.lastBits;
    this.image = entry.image ?? null;
    this.say(entry.trouble ?? "");
    if (this.image) {
      const { own, presets, bits } = this.image;
      const names = presets.map((p, i) => new Option(i < 9 ? `${i + 1} ${p.name}` : p.name));
      this.select.replaceChildren(new Option("Window"), ...names);
      if (!(this.keep && before === bits)) [this.window, this.inverted] = [{ ...own }, false];
      this.lastBits = bits;
      this.stale = true;
      this.fit();
    }
    this.draw(() => {
      this.stage.dataset.image = this.current;
      this.stage.dataset.ms = (performance.now() - this.began).toFixed(1);
    });
    this.ahead();
  }

  name() {
    const behind = this.untold.length > 0;
    this.caption.textContent = behind ? "…" : this.words;
    const label = `X-ray ${this.current}. Press ? for keys.`;
    this.stage.setAttribute("aria-label", label);
    const at = this.images.findIndex((image) => image.image_id === this.current);
    this.button("previous").disabled = at <= 0;
    this.button("next").disabled = at < 0 || at === this.images.length - 1;
  }

  step(by) {
    const at = this.images.findIndex((image) => image.image_id === this.current);
    const next = at < 0 ? null : this.images[at + by];
    if (!next) return this.speak(by > 0 ? "No next image here" : "No image before this one");
    this.go(next.image_id);
  }

  go(image_id) {
    this.untold.push(image_id);
    this.show(image_id);
    this.tell(image_id);
    // Streamlit may lose what it is told in the moment in which a page begins to run anew.
    this.overdue = setTimeout(() => {
      this.tell(image_id);
      this.overdue = setTimeout(() => this.giveUp(), PATIENCE_MS - REMINDER_MS);
    }, REMINDER_MS);
  }

  giveUp() {
    this.untold = [];
    this.show(this.given);
    this.name();
  }

  // What a person does

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === this.select && event.key !== "Escape") return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (this.pageKeys.includes(key)) return;
    if (event.shiftKey && PANS[key]) this.pan(...PANS[key]);
    else if (/^[1-9]$/.test(key)) this.preset(Number(key) - 1);
    else if (KEYS[key]) this.do(KEYS[key]);
    else return;
    event.preventDefault();
    event.stopPropagation(); // Streamlit has keys of its own, such as R
  }

  do(what) {
    if (what === "previous" || what === "next") return this.step(what === "next" ? 1 : -1);
    if (what === "help") return this.toggleHelp(this.help.hidden);
    if (what === "leave") {
      return this.help.hidden ? this.root.getRootNode().activeElement?.blur() : this.toggleHelp(false);
    }
    if (what === "keep") {
      this.keep = !this.keep;
      this.button("keep").setAttribute("aria-pressed", String(this.keep));
      return this.speak(this.keep ? "Window kept for the next image" : "Each image in its window");
    }
    if (!this.image) return;
    const { own } = this.image;
    const by = own.width / 20;
    if (what === "invert") this.inverted = !this.inverted;
    else if (what === "in" || what === "out") return this.zoom(what === "in" ? 1.25 : 0.8);
    else if (what === "fit") this.fit();
    else if (what === "actual") [this.fitted, this.scale] = [false, 1 / devicePixelRatio];
    else if (what === "reset") [this.window, this.inverted] = [{ ...own }, false], this.fit();
    else if (what === "narrower" || what === "wider") this.shift(what === "wider" ? by : -by, 0);
    else if (what === "lower" || what === "higher") this.shift(0, what === "higher" ? by : -by);
    this.stale = true;
    this.draw();
  }

  toggleHelp(open) {
    this.help.hidden = !open;
    this.button("help").setAttribute("aria-expanded", String(open));
    if (open) this.speak(this.help.innerText);
  }

  preset(index) {
    const preset = this.image?.presets[index];
    if (!preset) return;
    this.window = { center: preset.center, width: preset.width, function: preset.function };
    this.stale = true;
    this.draw();
  }

  shift(width, center) {
    const span = 2 ** this.image.bits;
    const least = this.image.bits === 8 ? 1 : 4;
    this.window.width = Math.min(2 * span, Math.max(least, this.window.width + width));
    this.window.center = Math.min(span, Math.max(0, this.window.center + center));
    this.stale = true;
  }

  down(event) {
    if (event.button > 1 || event.target.closest(".card, .help")) return;
    if (event.button === 1) event.preventDefault();
    this.stage.focus({ preventScroll: true });
    this.stage.setPointerCapture(event.pointerId);
    const pans = event.shiftKey || event.button === 1;
    this.fingers.set(event.pointerId, { x: event.clientX, y: event.clientY, pans });
  }

  move(event) {
    const finger = this.fingers.get(event.pointerId);
    if (!finger || !this.image) return;
    const other = [...this.fingers].find(([id]) => id !== event.pointerId)?.[1];
    const [dx, dy] = [event.clientX - finger.x, event.clientY - finger.y];
    if (other) {
      const apart = (x, y) => Math.max(10, Math.hypot(x - other.x, y - other.y));
      const factor = apart(event.clientX, event.clientY) / apart(finger.x, finger.y);
      const middle = { clientX: (event.clientX + other.x) / 2, clientY: (event.clientY + other.y) / 2 };
      this.pan(dx / 2, dy / 2);
      this.zoom(factor, this.place(middle));
    } else if (finger.pans) {
      this.pan(dx, dy);
    } else {
      const unit = this.image.own.width / DRAG_FOR_WHOLE_WIDTH;
      this.shift(dx * unit, dy * unit);
      this.draw();
    }
    [finger.x, finger.y] = [event.clientX, event.clientY];
  }

  // Where the image lies

  size() {
    return [this.stage.clientWidth, this.stage.clientHeight];
  }

  place(event) { // from the middle of the stage
    const box = this.stage.getBoundingClientRect();
    return [event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2];
  }

  fit() {
    const [width, height] = this.size();
    this.scale = Math.min(width / this.image.width, height / this.image.height) || 1;
    this.middle = [this.image.width / 2, this.image.height / 2];
    this.fitted = true;
  }

  zoom(factor, [x, y] = [0, 0]) {
    if (!this.image) return;
    const before = this.scale;
    this.scale = Math.min(MOST_SCALE, Math.max(0.02, before * factor));
    // The sample under the pointer stays under it.
    this.middle[0] += x / before - x / this.scale;
    this.middle[1] += y / before - y / this.scale;
    this.fitted = false;
    this.pan(0, 0);
  }

  pan(dx, dy) {
    if (!this.image) return;
    const { width, height } = this.image;
    const within = (value, most) => Math.min(most, Math.max(0, value));
    this.middle[0] = within(this.middle[0] - dx / this.scale, width);
    this.middle[1] = within(this.middle[1] - dy / this.scale, height);
    if (dx || dy) this.fitted = false;
    this.draw();
  }

  resize() {
    this.leave();
    if (this.image && this.fitted) this.fit();
    this.draw();
  }

  // What is drawn

  draw(then) {
    if (then) this.then = then;
    if (this.drawing) return;
    this.drawing = requestAnimationFrame(() => {
      this.drawing = null;
      this.paint();
      this.then?.();
      this.then = null;
    });
  }

  paint() {
    const [width, height] = this.size();
    const ratio = devicePixelRatio;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== h) {
      [this.canvas.width, this.canvas.height] = [w, h];
    }
    const context = this.canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, w, h);
    if (!this.image) return this.notes();
    if (this.stale) this.applyWindow();
    const scale = this.scale * ratio;
    context.setTransform(scale, 0, 0, scale,
      w / 2 - this.middle[0] * scale, h / 2 - this.middle[1] * scale);
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.inner, 0, 0);
    this.notes();
  }

  applyWindow() {
    const { samples, width, height, bits } = this.image;
    const greys = new Uint8ClampedArray(2 ** bits); // rounds and clamps
    for (let i = 0; i < greys.length; i++) greys[i] = share(i, this.window) * 255;
    const colours = new Uint32Array(greys.length);
    for (let i = 0; i < greys.length; i++) {
      const shown = this.inverted ? 255 - greys[i] : greys[i];
      colours[i] = (255 << 24) | (shown << 16) | (shown << 8) | shown;
    }
    if (this.inner.width !== width || this.inner.height !== height || !this.pixels) {
      [this.inner.width, this.inner.height] = [width, height];
      this.pixels = new ImageData(width, height);
    }
    const drawn = new Uint32Array(this.pixels.data.buffer);
    for (let i = 0; i < drawn.length; i++) drawn[i] = colours[samples[i]];
    this.inner.getContext("2d").putImageData(this.pixels, 0, 0);
    this.stale = false;
  }

  notes() {
    this.button("invert").setAttribute("aria-pressed", String(Boolean(this.image && this.inverted)));
    if (!this.image) {
      this.corner.textContent = this.source.textContent = "";
      return;
    }
    const { width, height, presets } = this.image;
    const [w, l] = [this.window.width, this.window.center].map((n) => Math.round(n));
    const percent = Math.round(this.scale * devicePixelRatio * 100);
    const enlarged = percent > 100 ? ", shown enlarged and smoothed" : "";
    this.source.textContent = `source ${width} × ${height} px${enlarged}`;
    this.corner.textContent = `W ${w}  L ${l} · ${percent} %`;
    this.select.selectedIndex = 1 + presets.findIndex((p) => alike(p, this.window));
    const inverted = this.inverted ? ", inverted" : "";
    this.speak(`Window ${w}, level ${l}, zoom ${percent} %${inverted}${enlarged}`);
  }

  say(words) {
    this.card.hidden = !words;
    this.card.textContent = words;
    if (!words) return;
    const button = document.createElement("button");
    button.textContent = "Try again";
    button.addEventListener("click", () => this.again());
    this.card.append(document.createElement("br"), button);
  }

  speak(words) { // once the hand rests
    clearTimeout(this.speaking);
    this.speaking = setTimeout(() => { this.status.textContent = words; }, 500);
  }

  button(name) {
    return this.root.querySelector(`[data-do="${name}"]`);
  }
}
