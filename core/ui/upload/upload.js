/* The browser's half of core.ui.upload: takes a file, asks the page for an address, sends it. */

const PATIENCE_MS = 15000; // how long the page may take to give an address
const zones = new WeakMap();

export default function mount({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".drop");
  let zone = zones.get(root);
  if (!zone) zones.set(root, (zone = new Zone(root)));
  zone.tell = setTriggerValue;
  zone.update(data);
  return () => { zones.delete(root); zone.close(); };
}

class Zone {
  constructor(root) {
    this.root = root;
    for (const name of ["what", "limits", "idle", "sending", "name", "how", "trouble", "said"]) {
      this[name] = root.querySelector(`.${name}`);
    }
    this.input = root.querySelector("input");
    this.bar = root.querySelector("progress");
    root.querySelector(".choose").addEventListener("click", () => this.input.click());
    root.querySelector(".cancel").addEventListener("click", () => this.cancel());
    this.input.addEventListener("change", () => {
      if (this.input.files.length) this.take([...this.input.files]);
      this.input.value = "";
    });
    for (const name of ["dragenter", "dragover"]) {
      root.addEventListener(name, (event) => {
        event.preventDefault();
        root.classList.add("over");
      });
    }
    root.addEventListener("dragleave", (event) => {
      if (!root.contains(event.relatedTarget)) root.classList.remove("over");
    });
    root.addEventListener("drop", (event) => {
      event.preventDefault();
      root.classList.remove("over");
      const folder = [...event.dataTransfer.items].some((i) => i.webkitGetAsEntry?.()?.isDirectory);
      if (folder) this.stop("That is a folder. Drop the file itself.");
      else this.take([...event.dataTransfer.files]);
    });
    this.leaving = (event) => { if (this.request) event.preventDefault(); };
    window.addEventListener("beforeunload", this.leaving);
  }

  close() {
    window.removeEventListener("beforeunload", this.leaving);
    clearTimeout(this.overdue);
    this.request?.abort();
  }

  update(data) {
    this.data = data;
    this.what.textContent = `Drop ${data.what} here, or`;
    this.limits.textContent = `At most ${data.limit_in_words}`;
    this.input.accept = data.accept;
    if (this.file && !this.request && data.given?.number === this.number) {
      this.send(data.given.address);
    }
  }

  take(files) {
    if (this.file) return;
    if (files.length !== 1) return this.stop("One file at a time, please.");
    const [file] = files;
    if (!file.size) return this.stop(`${file.name} is empty (0 bytes).`);
    if (file.size > this.data.limit) {
      const most = this.data.limit_in_words;
      return this.stop(`${file.name} has ${bytes(file.size)}; at most ${most} are taken here.`);
    }
    this.file = file;
    this.number = `${Date.now()}-${Math.random()}`;
    this.show("sending");
    this.name.textContent = file.name;
    this.bar.value = 0;
    this.how.textContent = "Starting";
    this.tell("want", this.number);
    this.overdue = setTimeout(
      () => this.stop("The page did not answer. Reload it, and choose the file again."), PATIENCE_MS);
  }

  send(address) {
    clearTimeout(this.overdue);
    const request = (this.request = new XMLHttpRequest());
    const began = performance.now();
    request.open("PUT", address);
    request.setRequestHeader("X-File-Name", encodeURIComponent(this.file.name.slice(-400)));
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.addEventListener("progress", (event) => {
      const seconds = (performance.now() - began) / 1000;
      const rate = event.loaded / Math.max(seconds, 0.1);
      const left = Math.ceil((event.total - event.loaded) / Math.max(rate, 1));
      this.bar.value = event.loaded / event.total;
      this.how.textContent = event.loaded < event.total
        ? `${bytes(event.loaded)} of ${bytes(event.total)}, ${bytes(rate)}/s, ${time(left)} left`
        : "Arrived; being put away";
      this.speak(`${Math.round(this.bar.value * 10) * 10} % sent`);
    });
    request.addEventListener("load", () => {
      let said = {};
      try { said = JSON.parse(request.responseText); } catch { /* not ours: a proxy's page */ }
      if (request.status !== 201) {
        return this.stop(said.error || `The server answered ${request.status}; nothing was kept.`);
      }
      this.stop("");
      this.how.textContent = "Done";
      this.tell("done", said.id);
    });
    request.addEventListener("error", () => this.stop(
      "The connection broke, or the server refused the file; nothing was kept. Try again."));
    request.addEventListener("abort", () => this.stop("Cancelled; nothing was kept."));
    request.send(this.file);
  }

  cancel() {
    if (this.request) this.request.abort();
    else this.stop("Cancelled; nothing was kept.");
  }

  stop(words) {
    clearTimeout(this.overdue);
    this.file = this.request = this.number = null;
    this.show("idle");
    this.trouble.hidden = !words;
    this.trouble.textContent = words;
  }

  show(part) {
    this.idle.hidden = part !== "idle";
    this.sending.hidden = part !== "sending";
    if (part === "sending") this.trouble.hidden = true;
  }

  speak(words) {
    if (this.said.textContent !== words) this.said.textContent = words;
  }
}

function bytes(n) {
  if (n >= 1e9) return `${(n / 1e9).toFixed(1)} GB`;
  return n >= 1e5 ? `${(n / 1e6).toFixed(1)} MB` : `${(n / 1e3).toFixed(1)} kB`;
}

function time(seconds) {
  return seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}
