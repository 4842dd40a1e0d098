/* The ruler and the magnifier, drawn over an image. Comes after pane.js. */

const LENS_RADIUS = 90; // CSS pixels
const LENS_TIMES = 2.5;
// A shadow on the detector is larger than what threw it, by how much no file says for certain.
const MEASURED = { patient: "mm", detector: "mm at the detector", film: "mm on the film" };

/* How long a line between two samples is, in words. */
function lengthWords(image, [from, to]) {
  const [across, along] = [to[0] - from[0], to[1] - from[1]];
  const unit = MEASURED[image.measured];
  if (unit && image.spacing) {
    const [tall, wide] = image.spacing;
    return `${Math.hypot(across * wide, along * tall).toFixed(1)} ${unit}`;
  }
  const length = Math.hypot(across * image.aspect[0], along * image.aspect[1]);
  return `${Math.round(length)} px (size not in the file)`;
}

function drawRuler(pane, context, ratio) {
  if (!pane.ruler) return;
  const [width, height] = pane.size();
  const [from, to] = pane.ruler.map((end) => {
    const [x, y] = pane.placeOf(end);
    return [x + width / 2, y + height / 2];
  });
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  const tick = Math.atan2(to[1] - from[1], to[0] - from[0]) + Math.PI / 2;
  const [tx, ty] = [6 * Math.cos(tick), 6 * Math.sin(tick)];
  for (const [colour, thick] of [["#000", 4], ["#ffd23f", 1.5]]) {
    context.strokeStyle = colour;
    context.lineWidth = thick;
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(...to);
    for (const [x, y] of [from, to]) {
      context.moveTo(x - tx, y - ty);
      context.lineTo(x + tx, y + ty);
    }
    context.stroke();
  }
  const words = lengthWords(pane.image, pane.ruler);
  context.font = "600 14px sans-serif";
  const wide = context.measureText(words).width;
  const x = Math.max(6, Math.min(width - wide - 6, to[0] + 10));
  const y = Math.max(20, Math.min(height - 10, to[1] - 8));
  context.fillStyle = "rgba(0, 0, 0, .75)";
  context.fillRect(x - 4, y - 15, wide + 8, 21);
  context.fillStyle = "#ffd23f";
  context.fillText(words, x, y);
  pane.element.dataset.length = words;
}

function drawLens(pane, context, ratio) {
  if (!pane.lens) return;
  const [width, height] = pane.size();
  const middle = [(pane.lens[0] + width / 2) * ratio, (pane.lens[1] + height / 2) * ratio];
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.save();
  context.beginPath();
  context.arc(...middle, LENS_RADIUS * ratio, 0, 2 * Math.PI);
  context.clip();
  context.fillStyle = "#000";
  context.fill();
  pane.drawImage(context, middle, ratio, LENS_TIMES, pane.lens);
  context.restore();
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.strokeStyle = "#c8ced4";
  context.lineWidth = 2 * ratio;
  context.beginPath();
  context.arc(...middle, LENS_RADIUS * ratio, 0, 2 * Math.PI);
  context.stroke();
}
