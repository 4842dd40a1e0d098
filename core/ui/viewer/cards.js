/* Cards of the page that open in the viewer, before the page hears of it. Comes after viewer.js. */

const SETTLING_MS = 1000; // of the frame, once it has made room for an X-ray or taken it back

Object.assign(Viewer.prototype, {
  watchCards() {
    this.picked = (event) => this.pick(event);
    addEventListener("click", this.picked, { capture: true }); // sooner than the page's own
  },

  ignoreCards() {
    removeEventListener("click", this.picked, { capture: true });
  },

  putAway() {
    this.part();
    this.current = null;
    this.panes[0].clear();
    this.stage.removeAttribute("aria-busy");
    delete this.stage.dataset.image;
    this.ahead();
  },

  unfold(image_id) { // the frame makes room for the X-ray, and marks its card
    if (!this.frame) return;
    const [was, is] = [this.frame.hasAttribute("data-open"), image_id !== null];
    const card = (name) => [...this.frame.querySelectorAll("figure[data-image]")].find(
      (figure) => figure.dataset.image === name)?.closest(".ps-card");
    if (is !== was) this.left = is ? null : card(this.current);
    this.frame.toggleAttribute("data-open", is);
    for (const figure of this.frame.querySelectorAll("figure[data-image]")) {
      const [open, way] = [figure.dataset.image === image_id, figure.nextElementSibling];
      figure.classList.toggle("ps-open", open);
      if (open) way?.setAttribute("aria-current", "true");
      else way?.removeAttribute("aria-current");
    }
    if (is && !was) this.follow(this.root);
  },

  leave() { // back to the card, once the frame is as it was
    if (!this.left || this.stage.offsetParent) return;
    const card = this.left;
    this.left = null;
    card.querySelector(".ps-way")?.focus({ preventScroll: true });
    this.follow(card);
  },

  follow(what) { // into view, while the frame takes its shape: its columns come one by one
    this.following?.disconnect();
    const following = new ResizeObserver(() => what.scrollIntoView({ block: "nearest" }));
    following.observe(this.frame);
    this.following = following;
    setTimeout(() => following.disconnect(), SETTLING_MS);
  },

  // A card of the frame: its link would load the whole page anew, with the image open.
  pick(event) {
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const card = this.frame && event.target.closest?.(".ps-way")?.closest(".ps-card");
    if (!card || !this.frame.contains(card)) return;
    const [name, image] = [card.querySelector("figure")?.dataset.image, card.querySelector("img")];
    if (!name || !image) return;
    event.preventDefault();
    event.stopPropagation();
    if (name === this.current) return;
    const address = image.getAttribute("src").split("?")[0];
    this.addresses.set(name, address);
    if (!this.images.some((known) => known.image_id === name)) {
      this.images = [{ image_id: name, address }];
    }
    this.go(name);
    this.stage.focus({ preventScroll: true }); // for its keys
  },
});
