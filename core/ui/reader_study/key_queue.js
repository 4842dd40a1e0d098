/* Keys of a reader, in the order in which they were pressed, each with the image that was on the
screen. They are kept until the page says that it has taken them: none is lost while it works, and
none answers for an image that its reader has not seen. */

const AGAIN_MS = 3000; // after which the page is told again of what it has not taken
const STEPS = { ArrowLeft: "left", ArrowRight: "right" };
const TYPED_IN = "input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable], "
  + "[role=combobox], [role=dialog] *";
const GONE_MS = 5000; // after which a page that has not come back is another page
let queue = null; // one: React may take the element away and put it back while the page is drawn

export default function mount({ data, setStateValue }) {
  clearTimeout(queue?.going);
  queue ??= new Queue(data.taken);
  queue.tell = (waiting) => setStateValue("pressed", waiting);
  queue.update(data);
  return () => {
    queue.going = setTimeout(() => {
      queue.close();
      queue = null;
    }, GONE_MS);
  };
}

class Queue {
  constructor(taken) {
    [this.number, this.waiting, this.ahead, this.image] = [taken, [], false, null];
    this.pressed = (event) => this.press(event);
    this.stepped = ({ detail }) => { // whether the viewer shows another image than the page
      if (this.ahead && !detail) this.since = performance.now();
      this.ahead = detail;
    };
    addEventListener("keydown", this.pressed, { capture: true }); // sooner than the page's own
    addEventListener("xray-step", this.stepped);
  }

  close() {
    removeEventListener("keydown", this.pressed, { capture: true });
    removeEventListener("xray-step", this.stepped);
    clearTimeout(this.reminder);
  }

  update({ image, keys, taken, slip_ms }) {
    [this.keys, this.slip] = [keys, slip_ms];
    if (image !== this.image) [this.image, this.since] = [image, performance.now()];
    this.waiting = this.waiting.filter(({ number }) => number > taken);
    this.remind();
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const inside = event.composedPath()[0];
    if (inside.closest?.(TYPED_IN)) return;
    const key = STEPS[event.key] ?? event.key.toLowerCase();
    if (!(STEPS[event.key] ? !event.target.shadowRoot : this.keys.includes(key))) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.repeat) return;
    // Nobody judges an image that soon: this was meant for the one before, and so is what follows
    // at once, or the second half of an answer would be taken for the first.
    const seen = !this.ahead && performance.now() - this.since >= this.slip;
    if (!seen) this.since = performance.now();
    this.number += 1;
    this.waiting.push({ number: this.number, key, image: seen ? this.image : "" });
    this.send();
  }

  send() {
    this.tell([...this.waiting]);
    this.remind();
  }

  remind() {
    clearTimeout(this.reminder);
    if (this.waiting.length) this.reminder = setTimeout(() => this.send(), AGAIN_MS);
  }
}
