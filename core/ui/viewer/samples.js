/* An address of our own route -> the samples of an image. Comes before viewer.js in one module. */

const CANNOT = "This image cannot be read.";

class Trouble extends Error {}

async function load(address, signal) {
  const ask = async (url) => {
    const answer = await fetch(url, { signal, credentials: "same-origin" });
    if (answer.ok) return answer;
    if (answer.status === 401 || answer.status === 403) {
      throw new Trouble("This address has expired. Reload the page to see the image.");
    }
    const words = answer.status === 503 ? (await answer.text()).slice(0, 200) : CANNOT;
    throw new Trouble(words || CANNOT);
  };
  const answer = await ask(`${address}${address.includes("?") ? "&" : "?"}pixels=1`);
  if (answer.headers.get("X-Image-Bits")) return fromSamples(answer);
  return fromPicture(await (await ask(address)).blob());
}

async function fromSamples(answer) {
  const number = (name) => Number(answer.headers.get(name));
  const [width, height, bits] = ["Width", "Height", "Bits"].map((n) => number(`X-Image-${n}`));
  const bytes = await answer.arrayBuffer();
  if (![8, 16].includes(bits) || !width || bytes.byteLength !== (width * height * bits) / 8) {
    throw new Trouble(CANNOT);
  }
  const samples = bits === 8 ? new Uint8Array(bytes) : new Uint16Array(bytes);
  const own = {
    center: number("X-Window-Center"), width: number("X-Window-Width"),
    function: answer.headers.get("X-Window-Function") ?? "LINEAR",
  };
  return described(samples, width, height, bits, own, answer.headers.get("X-Window-Presets"));
}

async function fromPicture(blob) {
  const bitmap = await createImageBitmap(blob).catch(() => { throw new Trouble(CANNOT); });
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height).getContext("2d");
  canvas.drawImage(bitmap, 0, 0);
  const rgba = canvas.getImageData(0, 0, width, height).data;
  const samples = new Uint8Array(width * height);
  for (let i = 0; i < samples.length; i++) samples[i] = rgba[4 * i];
  return described(samples, width, height, 8, {}, null);
}

function described(samples, width, height, bits, own, listed) {
  let presets = [];
  try {
    presets = JSON.parse(listed ?? "[]").filter((p) => p.width > 0 && isFinite(p.center));
  } catch { /* an image without presets can be looked at all the same */ }
  const full = 2 ** bits;
  if (!(own.width > 0) || !isFinite(own.center)) {
    own = { center: (full - 1) / 2, width: full - 1, function: "LINEAR" };
  }
  if (!presets.length) presets = [{ name: "Full range", ...own }];
  return { samples, width, height, bits, own, presets };
}

// Windows: black 0 to white 1, by their function

const isSigmoid = (window) => window.function === "SIGMOID";

function share(sample, window) {
  const away = (sample - window.center) / window.width;
  return isSigmoid(window) ? 1 / (1 + Math.exp(-4 * away)) : away + 0.5;
}

function alike(a, b) {
  const close = (one, other) => Math.abs(one - other) < 0.5;
  return isSigmoid(a) === isSigmoid(b) && close(a.center, b.center) && close(a.width, b.width);
}
