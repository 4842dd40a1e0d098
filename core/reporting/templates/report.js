(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)"), paper = matchMedia("print");
  const WIDE = 680; // CSS pixels between the margins of A4
  let painted = "light"; // as the charts come
  const paint = (night, width = null) => {
    const wanted = `${night ? "dark" : "light"}${width ?? ""}`;
    if (wanted === painted) return;
    painted = wanted;
    const ink = night ? "#e9ecef" : "#0f1318";
    const line = night ? "rgba(160,168,178,.3)" : "rgba(110,118,128,.25)";
    for (const chart of document.querySelectorAll(".js-plotly-plot")) {
      const changed = {"font.color": ink, width, autosize: width === null};
      for (const axis of Object.keys(chart.layout).filter(key => /^[xy]axis\d*$/.test(key)))
        Object.assign(changed, {[axis + ".gridcolor"]: line, [axis + ".linecolor"]: line});
      Plotly.relayout(chart, changed);
    }
  };
  if (typeof Plotly === "undefined") return;
  const show = () => paper.matches ? paint(false, WIDE) : paint(dark.matches);
  show();
  for (const one of [dark, paper]) one.addEventListener("change", show);
  addEventListener("beforeprint", () => paint(false, WIDE));
  addEventListener("afterprint", show);
})();
