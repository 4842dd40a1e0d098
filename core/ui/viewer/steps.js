/* Steps from image to image: shown at once, and told to the page. No key is lost while the page
follows: steps beyond the images it has named are owed until it names more. Follows viewer.js. */

const REMINDER_MS = 5000; // after which the page is told again of a step it has not followed
const PATIENCE_MS = 60000; // how long the page may take to follow it

Object.assign(Viewer.prototype, {
  step(by) {
    if (this.owed) return this.owe(by); // one after the other
    const next = this.images[this.place_of(this.current) + by];
    if (this.current !== null && next) return this.go(next.image_id);
    if (this.untold.length) return this.owe(by);
    this.speak(by > 0 ? "No next image here" : "No image before this one");
  },

  owe(by) {
    this.owed += by;
    this.name();
  },

  go(image_id) {
    this.untold.push(image_id);
    this.announce();
    this.show(image_id);
    this.tell(image_id);
    // Streamlit may lose what it is told in the moment in which a page begins to run anew.
    const began = performance.now();
    const remind = () => {
      if (performance.now() - began > PATIENCE_MS) return this.giveUp();
      this.tell(image_id);
      this.overdue = setTimeout(remind, REMINDER_MS);
    };
    this.overdue = setTimeout(remind, REMINDER_MS);
  },

  catchUp() { // the page has said which images are near: what is owed is taken in one step
    const at = this.place_of(this.current);
    const last = this.images.length - 1;
    const to = Math.min(last, Math.max(0, at + this.owed));
    if (!this.owed || at < 0) this.owed = 0;
    else if (to !== at) {
      this.owed -= to - at;
      this.go(this.images[to].image_id);
    } else if (!this.untold.length) this.owed = 0; // there are no more
  },

  announce() { // to who must know whether the page is about another image than the one shown here
    dispatchEvent(new CustomEvent("xray-step", { detail: this.untold.length > 0 }));
  },

  giveUp() {
    [this.untold, this.owed] = [[], 0];
    this.announce();
    this.show(this.given);
    this.name();
  },

  place_of(image_id) {
    return this.images.findIndex((image) => image.image_id === image_id);
  },
});
