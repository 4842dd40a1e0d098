/* Mouse, pen and fingers on the stage. Comes after viewer.js.

The right button windows and the middle one pans whatever tool is chosen; two fingers zoom. */

const DRAG_FOR_WHOLE_WIDTH = 400; // CSS pixels of drag that change by the image's own window width

Object.assign(Viewer.prototype, {
  listenToPointers() {
    const on = (name, handler) => this.stage.addEventListener(name, handler, { passive: false });
    on("pointerdown", (event) => this.down(event));
    on("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) on(name, (event) => this.up(event));
    on("pointerleave", () => this.lensAt(null));
    on("contextmenu", (event) => event.preventDefault());
    on("wheel", (event) => {
      if (event.target.closest(".help")) return;
      event.preventDefault();
      const pane = this.paneAt(event);
      const turned = Math.max(-200, Math.min(200, event.deltaY));
      pane.zoom(Math.exp(-turned / 500), pane.place(event));
      this.moved(pane);
    });
    on("dblclick", (event) => {
      if (event.target.closest(".card, .help") || this.tool === "ruler") return;
      this.do("fit");
    });
  },

  paneAt(event) {
    const element = event.target.closest?.(".pane");
    return this.panes.find((pane) => pane.element === element) ?? this.active;
  },

  down(event) {
    if (event.button > 2 || event.target.closest(".card, .help")) return;
    if (event.button) event.preventDefault();
    this.stage.focus({ preventScroll: true });
    const pane = this.paneAt(event);
    this.activate(pane);
    this.stage.setPointerCapture(event.pointerId);
    const pans = event.shiftKey || event.button === 1;
    const doing = pans ? "pan" : event.button === 2 ? "window" : this.tool;
    this.fingers.set(event.pointerId, { x: event.clientX, y: event.clientY, doing, pane });
    if (doing !== "ruler" || !pane.image) return;
    const at = pane.sample(pane.place(event));
    pane.ruler = [at, at];
    this.draw();
  },

  move(event) {
    const finger = this.fingers.get(event.pointerId);
    if (!finger) return this.tool === "lens" && this.lensAt(event);
    const { pane, doing } = finger;
    if (!pane.image) return;
    const other = [...this.fingers].find(([id]) => id !== event.pointerId)?.[1];
    const [dx, dy] = [event.clientX - finger.x, event.clientY - finger.y];
    if (other) {
      const apart = (x, y) => Math.max(10, Math.hypot(x - other.x, y - other.y));
      const factor = apart(event.clientX, event.clientY) / apart(finger.x, finger.y);
      const [clientX, clientY] = [(event.clientX + other.x) / 2, (event.clientY + other.y) / 2];
      pane.pan(dx / 2, dy / 2);
      pane.zoom(factor, pane.place({ clientX, clientY }));
      this.moved(pane);
    } else if (doing === "pan") {
      pane.pan(dx, dy);
      this.moved(pane);
    } else if (doing === "ruler") {
      pane.ruler = [pane.ruler[0], pane.sample(pane.place(event))];
      this.draw();
    } else if (doing === "lens") {
      this.lensAt(event);
    } else {
      pane.shift(dx / DRAG_FOR_WHOLE_WIDTH, dy / DRAG_FOR_WHOLE_WIDTH);
      this.windowed(pane);
      this.draw();
    }
    [finger.x, finger.y] = [event.clientX, event.clientY];
  },

  up(event) {
    const finger = this.fingers.get(event.pointerId);
    this.fingers.delete(event.pointerId);
    if (finger?.doing !== "ruler" || !finger.pane.ruler) return;
    const [from, to] = finger.pane.ruler;
    if (from[0] === to[0] && from[1] === to[1]) finger.pane.ruler = null;
    this.draw();
  },

  lensAt(event) {
    const under = event && this.paneAt(event);
    for (const pane of this.panes) {
      const lens = pane === under && pane.image ? pane.place(event) : null;
      if (lens || pane.lens) this.draw();
      pane.lens = lens;
    }
  },
});
