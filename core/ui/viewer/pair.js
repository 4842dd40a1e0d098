/* Another X-ray of the patient beside the one in view. Comes after viewer.js. */

Object.assign(Viewer.prototype, {
  listenToPair() {
    this.others.addEventListener("change", () => {
      const chosen = this.priors[this.others.selectedIndex - 1];
      if (chosen) this.compare(chosen.image_id);
      else this.part();
      this.stage.focus({ preventScroll: true });
    });
  },

  offer(priors) { // of the image that the page has in view
    const same = JSON.stringify(priors) === JSON.stringify(this.priors);
    this.priors = priors;
    for (const { image_id, address } of priors) this.addresses.set(image_id, address);
    if (same) return;
    const names = priors.map(({ label, image_id }) => new Option(label || image_id));
    this.others.replaceChildren(new Option("Compare with …"), ...names);
    if (this.comparing && !priors.some(({ image_id }) => image_id === this.comparing)) this.part();
  },

  compare(image_id) {
    if (!this.image) return;
    if (this.panes.length < 2) {
      const element = this.panes[0].element.cloneNode(true);
      delete element.dataset.length;
      this.stage.insertBefore(element, this.panes[0].element.nextSibling);
      this.panes.push(new Pane(element));
      this.observer.observe(element);
    }
    this.comparing = image_id;
    const [, pane] = this.panes;
    pane.clear();
    const entry = this.fetch(image_id);
    entry.promise.then(() => {
      if (this.comparing !== image_id) return;
      pane.about = this.priors.find((one) => one.image_id === image_id)?.label || image_id;
      pane.open(entry.image ?? null);
      pane.say(entry.trouble ?? "");
      this.list();
      this.draw(() => { pane.element.dataset.image = image_id; });
    });
    this.stage.classList.add("two");
    this.activate(this.active);
    this.refit();
  },

  part() {
    this.comparing = null;
    this.others.selectedIndex = 0;
    if (this.panes.length < 2) return;
    const pane = this.panes.pop();
    this.observer.unobserve(pane.element);
    pane.element.remove();
    this.stage.classList.remove("two");
    this.activate(this.panes[0]);
    this.refit();
  },

  refit() {
    for (const pane of this.panes) if (pane.image && pane.fitted) pane.fit();
    this.draw();
  },

  activate(pane) {
    for (const one of this.panes) one.element.classList.toggle("active", one === pane);
    if (this.active === pane) return;
    this.active = pane;
    this.list();
  },

  oneKind() { // whether a window means the same in both, as of two PNGs
    if (this.panes.length < 2) return false;
    const kinds = this.panes.map(({ image }) => image && JSON.stringify([image.bits, image.slope,
      image.intercept, image.units, image.padding, image.curves.length]));
    const curves = this.panes.some(({ image }) => image?.curves.length);
    return Boolean(kinds[0]) && kinds[0] === kinds[1] && !curves;
  },

  windowed(pane) { // the other one shows the same greys
    if (!this.together || !this.oneKind()) return;
    for (const other of this.panes) {
      if (other === pane) continue;
      [other.window, other.inverted, other.stale] = [{ ...pane.window }, pane.inverted, true];
    }
  },

  moved(pane) { // the other one goes with it
    if (this.linked && this.panes.length > 1) {
      for (const other of this.panes) if (other !== pane) other.follow(pane);
    }
    this.draw();
  },
});
