/* What the viewer fetches, keeps and forgets. Comes after viewer.js. */

Object.assign(Viewer.prototype, {
  changed(image_id) {
    const entry = this.kept.get(image_id);
    return !entry || (entry.trouble && this.addresses.get(image_id) !== entry.address);
  },

  fetch(image_id) {
    let entry = this.kept.get(image_id);
    if (this.changed(image_id)) {
      const address = this.addresses.get(image_id);
      entry = { address, control: new AbortController() };
      entry.promise = load(address, entry.control.signal).then(
        (image) => { entry.image = image; },
        (error) => {
          const known = error instanceof Trouble;
          entry.trouble = known ? error.message : "The image did not arrive. Is the server there?";
          if (!known) console.info(`X-ray viewer: ${error.message}`);
        },
      );
    }
    this.kept.delete(image_id);
    this.kept.set(image_id, entry); // the last used is the last to go
    return entry;
  },

  ahead() {
    const at = this.images.findIndex((image) => image.image_id === this.current);
    const wanted = AHEAD.map((by) => this.images[at + by]?.image_id).filter(Boolean);
    for (const [image_id, entry] of this.kept) {
      const waits = !entry.image && !entry.trouble;
      const idle = ![this.current, this.comparing, ...wanted].includes(image_id);
      if (idle && (waits || this.kept.size > MOST_KEPT)) {
        entry.control.abort();
        this.kept.delete(image_id);
      }
    }
    if (at < 0 || this.kept.get(this.current)?.image === undefined) return;
    const busy = wanted.some((id) => {
      const entry = this.kept.get(id);
      return entry && !entry.image && !entry.trouble;
    });
    const missing = wanted.find((id) => !this.kept.has(id));
    if (missing && !busy) this.fetch(missing).promise.then(() => this.ahead());
  },

  again() {
    for (const tried of [this.current, this.comparing]) {
      if (!this.kept.get(tried)?.trouble) continue;
      this.kept.delete(tried);
      if (tried === this.comparing) this.compare(tried);
    }
    if (this.kept.has(this.current)) return;
    const image_id = this.current;
    this.current = null;
    this.show(image_id);
  },

  // Names are one source's own: another study, or reader study, may use the same ones again.
  forget() {
    clearTimeout(this.overdue);
    for (const entry of this.kept.values()) entry.control.abort();
    this.kept.clear();
    this.addresses.clear();
    this.part();
    [this.current, this.given, this.untold, this.priors] = [null, null, [], []];
    this.panes[0].clear();
    this.owed = 0;
    delete this.stage.dataset.image;
  },
});
