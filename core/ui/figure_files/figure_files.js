/* The browser's half of core.ui.figure_files: a chart of the page as a file for paper.

Plotly draws the chart once more, out of sight, with dark ink on white whatever the page's theme is,
and as wide in every window. Title, meaning of the colours and caption, which stand around the chart
on the page, are written into the file. */

const INK = "#16191d", RULE = "#d9dde2";
const FONT = "Arial, Helvetica, sans-serif";
const PIXELS = 3; // of a PNG, each way, for one of the drawing
const EDGE = 16;
// Width and height of a drawing in CSS pixels, where they are not those of the page's own.
const SIZES = { column: [480], columns: [900], slide: [1248, 560] };

export default function mount({ data, parentElement }) {
  const trouble = parentElement.querySelector(".trouble");
  const form = parentElement.querySelector("form");
  for (const button of parentElement.querySelectorAll("button[data-format]")) {
    const format = button.dataset.format;
    button.setAttribute("aria-label", `${format.toUpperCase()}: ${data.title}`);
    button.title = `${data.name}.${format}`;
    button.onclick = async () => {
      button.disabled = true;
      trouble.textContent = "";
      try {
        save(await file(chosen(data, form), format), `${data.name}.${format}`);
      } catch (error) {
        trouble.textContent = `No file could be made: ${error.message}`;
      } finally {
        button.disabled = false;
      }
    };
  }
}

/* What is to be drawn, by the options: size, and whether title and caption are written into it. */
function chosen(data, form) {
  const { size, title, caption } = form.elements;
  const [width = data.width, height = data.height] = SIZES[size.value] ?? [];
  return { ...data, width, height,
    title_lines: title.checked ? wrapped(data.title, width, `bold 16px ${FONT}`) : [],
    caption_lines: caption.checked
      ? [data.caption, data.source].flatMap((text) => wrapped(text, width, `12px ${FONT}`))
      : [] };
}

function wrapped(text, width, font) {
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = font;
  const lines = [];
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const longer = lines.length ? `${lines.at(-1)} ${word}` : word;
    if (lines.length && pen.measureText(longer).width <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

async function file(data, format) {
  const chart = document.querySelector(`.st-key-${CSS.escape(data.key)} .js-plotly-plot`);
  if (!chart) throw new Error("the chart is not drawn yet.");
  const svg = await whole(await plotly(data.library), chart, data);
  const text = new XMLSerializer().serializeToString(svg);
  const drawn = new Blob([text], { type: "image/svg+xml" });
  return format === "svg" ? drawn : picture(drawn, svg);
}

/* Plotly's own code, asked for with the first file that somebody wants. */
let library;
function plotly(address) {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = address;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      library = undefined;
      reject(new Error("the server did not answer."));
    };
    document.head.append(script);
  });
  return library;
}

async function whole(Plotly, chart, data) {
  const layout = structuredClone(chart.layout);
  const axis = { automargin: true, gridcolor: RULE, zerolinecolor: RULE, linecolor: RULE,
    title: { standoff: 12, font: { size: 13 } } };
  Object.assign(layout, { paper_bgcolor: "#fff", plot_bgcolor: "#fff", autosize: false,
    width: data.width, height: data.height,
    template: { layout: { font: { family: FONT, size: 12, color: INK }, xaxis: axis, yaxis: axis } } });
  const shown = { data: structuredClone(chart.data), layout };
  const size = { format: "svg", width: data.width, height: data.height, imageDataOnly: true };
  const inner = new DOMParser()
    .parseFromString(await Plotly.toImage(shown, size), "image/svg+xml").documentElement;

  const svg = element("svg", { width: data.width + 2 * EDGE, "font-family": FONT, fill: INK });
  svg.append(element("title", {}, data.title), element("desc", {}, `${data.caption} ${data.source}`));
  const ground = element("rect", { width: "100%", height: "100%", fill: "#fff" });
  svg.append(ground);
  let y = EDGE;
  for (const line of data.title_lines) {
    y += 21;
    svg.append(element("text", { x: EDGE, y, "font-size": 16, "font-weight": "bold" }, line));
  }
  if (data.colours.length) y = legend(svg, data.colours, y + 22);
  y += 10;
  for (const [name, value] of [["x", EDGE], ["y", y]]) inner.setAttribute(name, value);
  svg.append(svg.ownerDocument.importNode(inner, true));
  y += data.height;
  for (const line of data.caption_lines) {
    y += 16;
    svg.append(element("text", { x: EDGE, y, "font-size": 12 }, line));
  }
  y += EDGE;
  svg.setAttribute("height", y);
  svg.setAttribute("viewBox", `0 0 ${data.width + 2 * EDGE} ${y}`);
  return svg;
}

function legend(svg, colours, y) {
  let x = EDGE;
  for (const [colour, meaning] of colours) {
    svg.append(element("rect", { x, y: y - 10, width: 11, height: 11, fill: colour }));
    svg.append(element("text", { x: x + 16, y, "font-size": 12 }, meaning));
    x += 16 + 6.2 * meaning.length + 18;
  }
  return y;
}

async function picture(drawn, svg) {
  const address = URL.createObjectURL(drawn);
  try {
    const image = new Image();
    image.src = address;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = PIXELS * Number(svg.getAttribute("width"));
    canvas.height = PIXELS * Number(svg.getAttribute("height"));
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
    if (!blob) throw new Error("the browser gave no picture.");
    return blob;
  } finally {
    URL.revokeObjectURL(address);
  }
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function element(name, attributes, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  return made;
}
