/* An address of our own route -> an image: its samples, and what the file says of showing them
(core.pictures.samples, in the header X-Xray). Comes first in the module. */

const CANNOT = "This image cannot be read.";
const PLAIN = { slope: 1, intercept: 0, units: "", padding: false, spacing: null, measured: "",
  right: "", down: "" };

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
  if (answer.headers.get("X-Xray")) return fromSamples(answer);
  return fromPicture(await (await ask(address)).blob());
}

async function fromSamples(answer) {
  const about = { ...PLAIN, ...JSON.parse(answer.headers.get("X-Xray")) };
  const { width, height, bits, curves = [] } = about;
  const bytes = await answer.arrayBuffer();
  const end = (width * height * bits) / 8;
  const expected = end + 2 * curves.reduce((sum, n) => sum + n, 0);
  if (![8, 16].includes(bits) || !width || !height || bytes.byteLength !== expected) {
    throw new Trouble(CANNOT);
  }
  const samples = bits === 8 ? new Uint8Array(bytes, 0, end) : new Uint16Array(bytes, 0, end / 2);
  const words = new Uint16Array(bytes.slice(end));
  let begin = 0;
  const followed = curves.map((n) => words.subarray(begin, (begin += n)));
  return described({ ...about, samples, curves: followed });
}

async function fromPicture(blob) {
  const bitmap = await createImageBitmap(blob).catch(() => { throw new Trouble(CANNOT); });
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height).getContext("2d");
  canvas.drawImage(bitmap, 0, 0);
  const rgba = canvas.getImageData(0, 0, width, height).data;
  const samples = new Uint8Array(width * height);
  for (let i = 0; i < samples.length; i++) samples[i] = rgba[4 * i];
  return described({ ...PLAIN, width, height, bits: 8, samples, curves: [] });
}

function described(image) {
  const levels = 2 ** image.bits;
  const usable = (image.windows ?? []).filter((w) => w.width > 0 && isFinite(w.center));
  const full = { name: "Full range", center: (levels - 1) / 2, width: levels - 1,
    function: "LINEAR_EXACT", curve: null };
  const [tall, wide] = image.spacing ?? [1, 1];
  const finer = Math.min(tall, wide);
  return { ...image, levels, windows: usable.length ? usable : [full],
    aspect: [wide / finer, tall / finer] }; // of a sample, in its finer side
}

/* What a window shows, 0 to 1 and beyond: DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3. */
function share(value, { center, width, function: shape }) {
  if (shape === "SIGMOID") return 1 / (1 + Math.exp((-4 * (value - center)) / width));
  if (shape === "LINEAR") {
    if (width <= 1) return value > center - 0.5 ? 1 : 0;
    return (value - (center - 0.5)) / (width - 1) + 0.5;
  }
  return (value - center) / width + 0.5;
}

/* The grey of every sample there may be. Where the highest value is black, the slope is negative;
what is no image stays black. */
function greys(image, window, inverted) {
  const { levels, slope, intercept, padding } = image;
  const curve = image.curves[window.curve];
  const drawn = new Uint8ClampedArray(levels); // rounds and clamps
  for (let i = 0; i < levels; i++) {
    const value = curve ? curve[Math.min(i, curve.length - 1)] : i * slope + intercept;
    const part = share(value, window);
    drawn[i] = 255 * (slope < 0 !== inverted ? 1 - part : part);
  }
  if (padding) drawn[0] = 0;
  return drawn;
}

/* From which value to which the samples may go, in the units of a window. */
function span(image, window) {
  const curve = image.curves[window.curve];
  const ends = curve ? [0, curve.reduce((a, b) => Math.max(a, b), 1)]
    : [image.intercept, (image.levels - 1) * image.slope + image.intercept];
  return [Math.min(...ends), Math.max(...ends)];
}

function alike(a, b) {
  const close = (one, other) => Math.abs(one - other) < a.width / 1000;
  return a.function === b.function && (a.curve ?? null) === (b.curve ?? null)
    && close(a.center, b.center) && close(a.width, b.width);
}
