/* One image on black: its window, and how it lies. Comes after samples.js.

A view is a scale (CSS pixels to the finer side of a sample), a turn, and an offset: of the middle
of the stage from the middle of the image, in finer sides, after turning. A turn is the matrix
[a, b, c, d] of a canvas: x' = a x + c y, y' = b x + d y. */

const MOST_SCALE = 40;
const UPRIGHT = [1, 0, 0, 1];
const OPPOSITE = { L: "R", R: "L", H: "F", F: "H", A: "P", P: "A", "": "" };

class Pane {
  constructor(element) {
    const find = (name) => element.querySelector(name);
    [this.element, this.canvas, this.card] = [element, find("canvas"), find(".card")];
    [this.corner, this.numbers] = [find(".note.corner"), find(".note.window")];
    [this.source, this.badge] = [find(".note.source"), find(".note.badge")];
    this.sides = Object.fromEntries(["left", "right", "top", "bottom"].map(
      (side) => [side, find(`.side.${side}`)]));
    this.inner = document.createElement("canvas"); // the image windowed, at its own size
    [this.image, this.about] = [null, ""];
    this.clear();
  }

  open(image, kept) { // kept: a window and inversion of the image before
    [this.image, this.ruler, this.lens] = [image, null, null];
    if (image) {
      const fits = kept && (kept.window.curve ?? null) === null;
      this.window = { ...(fits ? kept.window : image.windows[0]) };
      this.inverted = fits ? kept.inverted : false;
      this.turned = UPRIGHT;
      this.stale = true;
      this.fit();
    }
  }

  clear() {
    [this.image, this.ruler, this.lens] = [null, null, null];
    this.say("");
  }

  say(words) {
    this.card.hidden = !words;
    this.card.querySelector("span").textContent = words;
  }

  // The window

  preset(index) {
    const preset = this.image?.windows[index];
    if (preset) [this.window, this.stale] = [{ ...preset }, true];
  }

  shift(width, center) { // in own widths; a higher level is darker, whatever the file's values are
    const [low, high] = span(this.image, this.window);
    const own = this.image.windows[0].width;
    const step = this.window.curve == null ? Math.abs(this.image.slope) : 1;
    let least = step * (this.image.bits === 8 ? 1 : 4);
    if (this.window.function === "LINEAR") least = Math.max(2, least);
    const up = this.image.slope < 0 ? -1 : 1;
    const within = (value, from, to) => Math.min(to, Math.max(from, value));
    this.window.width = within(this.window.width + width * own, least, 2 * (high - low) + 1);
    this.window.center = within(this.window.center + up * center * own, low, high + 1);
    this.stale = true;
  }

  // How it lies

  size() {
    return [this.element.clientWidth, this.element.clientHeight];
  }

  extent() { // of the turned image, in finer sides
    const [a, b, c, d] = this.turned.map(Math.abs);
    const [width, height] = this.physical();
    return [a * width + c * height, b * width + d * height];
  }

  physical() {
    const { width, height, aspect } = this.image;
    return [width * aspect[0], height * aspect[1]];
  }

  fitting() {
    const [[width, height], [across, along]] = [this.size(), this.extent()];
    return Math.min(width / across, height / along) || 1;
  }

  fit() {
    if (!this.image) return;
    [this.scale, this.offset, this.fitted] = [this.fitting(), [0, 0], true];
  }

  actual() {
    [this.scale, this.fitted] = [1 / devicePixelRatio, false];
  }

  zoom(factor, [x, y] = [0, 0]) { // what is under the pointer stays under it
    if (!this.image) return;
    const before = this.scale;
    this.scale = Math.min(MOST_SCALE, Math.max(0.02, before * factor));
    this.offset[0] += x / before - x / this.scale;
    this.offset[1] += y / before - y / this.scale;
    this.fitted = false;
    this.pan(0, 0);
  }

  pan(dx, dy) {
    if (!this.image) return;
    const [across, along] = this.extent();
    const within = (value, most) => Math.min(most / 2, Math.max(-most / 2, value));
    this.offset[0] = within(this.offset[0] - dx / this.scale, across);
    this.offset[1] = within(this.offset[1] - dy / this.scale, along);
    if (dx || dy) this.fitted = false;
  }

  mirror() {
    const [a, b, c, d] = this.turned;
    this.turned = [0 - a, b, 0 - c, d];
    this.offset[0] *= -1;
  }

  rotate() { // clockwise
    const [a, b, c, d] = this.turned;
    this.turned = [0 - b, a, 0 - d, c];
    this.offset = [-this.offset[1], this.offset[0]];
    if (this.fitted) this.fit();
  }

  follow(other) { // the same part of the image, as large beside the whole
    if (!this.image || !other.image) return;
    this.scale = this.fitting() * (other.scale / other.fitting());
    const [mine, theirs] = [this.extent(), other.extent()];
    this.offset = other.offset.map((at, i) => (at * mine[i]) / theirs[i]);
    this.fitted = other.fitted;
  }

  place(event) { // from the middle of the pane
    const box = this.element.getBoundingClientRect();
    return [event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2];
  }

  sample([x, y]) { // where in the image a place is
    const [a, b, c, d] = this.turned;
    const [across, along] = [x / this.scale + this.offset[0], y / this.scale + this.offset[1]];
    const { width, height, aspect } = this.image;
    return [width / 2 + (a * across + b * along) / aspect[0],
      height / 2 + (c * across + d * along) / aspect[1]];
  }

  placeOf([column, row]) { // and back
    const [a, b, c, d] = this.turned;
    const { width, height, aspect } = this.image;
    const [x, y] = [(column - width / 2) * aspect[0], (row - height / 2) * aspect[1]];
    return [(a * x + c * y - this.offset[0]) * this.scale,
      (b * x + d * y - this.offset[1]) * this.scale];
  }

  // What is drawn

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
    if (this.image) {
      if (this.stale) this.applyWindow();
      this.drawImage(context, [w / 2, h / 2], ratio);
      drawLens(this, context, ratio);
      drawRuler(this, context, ratio);
    }
    this.note();
  }

  drawImage(context, middle, ratio, enlarged = 1, about = [0, 0]) {
    const [a, b, c, d] = this.turned;
    const { aspect } = this.image;
    const scale = this.scale * ratio * enlarged;
    const [x, y] = this.placeOf([0, 0]).map((at, i) => (at - about[i]) * ratio * enlarged);
    let [e, f] = [middle[0] + x, middle[1] + y];
    if (Math.abs(scale - 1) < 1e-9) [e, f] = [Math.round(e), Math.round(f)]; // pixel on pixel
    context.setTransform(scale * a * aspect[0], scale * b * aspect[0],
      scale * c * aspect[1], scale * d * aspect[1], e, f);
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.inner, 0, 0);
  }

  applyWindow() {
    const { samples, width, height } = this.image;
    const grey = greys(this.image, this.window, this.inverted);
    const colours = new Uint32Array(grey.length);
    for (let i = 0; i < grey.length; i++) {
      colours[i] = (255 << 24) | (grey[i] << 16) | (grey[i] << 8) | grey[i];
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

  // What is said in the corners and at the sides

  percent() {
    return Math.round(this.scale * devicePixelRatio * 100);
  }

  enlarged() {
    return this.percent() > 100 ? ", shown enlarged and smoothed" : "";
  }

  windowWords() {
    const { windows, curves, units } = this.image;
    const { width, center, curve } = this.window;
    const called = windows.find((one) => curve != null && one.curve === curve);
    if (called && alike(called, this.window)) return called.name;
    const digits = (n) => (Math.abs(width) < 20 ? n.toPrecision(3) : Math.round(n));
    const unit = curve == null && units ? ` ${units}` : "";
    return `${called ? `${called.name}, ` : ""}W ${digits(width)}  L ${digits(center)}${unit}`;
  }

  turnWords() {
    const [a, b, c, d] = this.turned;
    const mirrored = a * d - b * c < 0;
    const turn = mirrored ? Math.atan2(-b, -a) : Math.atan2(b, a); // of the mirrored image
    const degrees = (Math.round(turn / (Math.PI / 2)) * 90 + 360) % 360;
    const words = [mirrored ? "mirrored" : "", degrees ? `turned ${degrees}°` : ""];
    const said = words.filter(Boolean).join(", ");
    return said && said[0].toUpperCase() + said.slice(1);
  }

  letters() { // towards which part of the patient each side lies
    const { right, down } = this.image;
    const along = (x, y) => (x ? (x > 0 ? right : OPPOSITE[right]) : y > 0 ? down : OPPOSITE[down]);
    const [a, b, c, d] = this.turned;
    const [toRight, toBottom] = [along(a, c), along(b, d)];
    return { right: toRight, left: OPPOSITE[toRight], bottom: toBottom, top: OPPOSITE[toBottom] };
  }

  note() {
    const letters = this.image ? this.letters() : {};
    for (const [side, mark] of Object.entries(this.sides)) mark.textContent = letters[side] ?? "";
    this.corner.textContent = this.image ? this.about : "";
    this.badge.textContent = this.image ? this.turnWords() : "";
    if (!this.image) {
      this.numbers.textContent = this.source.textContent = "";
      return;
    }
    const { width, height } = this.image;
    this.source.textContent = `source ${width} × ${height} px${this.enlarged()}`;
    this.numbers.textContent = `${this.windowWords()} · ${this.percent()} %`;
  }
}
