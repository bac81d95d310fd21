/* What was learnt from the marks: counts, accuracy over the number of marks, and the class that needs more. */
function makeLearning({ make, draw, percent, styleOf }) {
  const $ = (id) => document.getElementById(id);
  function show({ history, num_by_class, wanted_class, message }, isTraining) {
    $("train").disabled = isTraining;
    $("train").setAttribute("aria-busy", String(isTraining));
    const lesson = isTraining ? "Training …" : message || "";
    if ($("lesson").textContent !== lesson) $("lesson").textContent = lesson; /* a screen reader says it once */
    const most = Math.max(1, ...Object.values(num_by_class));
    $("counts").replaceChildren(...Object.entries(num_by_class).map(([label, count]) => {
      const row = make("tr", undefined, label === wanted_class ? "wanted" : "");
      const bar = draw("svg", { "aria-hidden": "true" });
      draw("rect", { width: `${(100 * count) / most}%`, height: 10, fill: styleOf(label)?.colour ?? "gray" }, bar);
      const heading = make("th", label);
      heading.scope = "row";
      const cell = make("td");
      cell.append(bar);
      row.append(heading, cell, make("td", String(count)));
      return row;
    }));
    drawCurve(history.filter((lesson) => lesson.accuracy !== null));
  }
  function drawCurve(history) {
    const curve = $("curve");
    if (curve.dataset.drawn === JSON.stringify(history)) return;
    curve.dataset.drawn = JSON.stringify(history);
    curve.toggleAttribute("hidden", !history.length);
    curve.replaceChildren();
    if (!history.length) return;
    const most = Math.max(1, ...history.map((lesson) => lesson.num_marks));
    const x = (marked) => 38 + (254 * marked) / most;
    const y = (share) => 78 - 70 * share;
    for (const share of [0, 0.5, 1]) {
      draw("line", { class: "grid", x1: 38, x2: 292, y1: y(share), y2: y(share) }, curve);
      draw("text", { x: 33, y: y(share) + 4, "text-anchor": "end" }, curve).textContent = percent(share);
    }
    draw("text", { x: 38, y: 92 }, curve).textContent = "0";
    draw("text", { x: 292, y: 92, "text-anchor": "end" }, curve).textContent = `${most} marks`;
    draw("polyline", { points: history.map((lesson) => `${x(lesson.num_marks)},${y(lesson.accuracy)}`).join(" ") }, curve);
    for (const lesson of history) draw("circle", { cx: x(lesson.num_marks), cy: y(lesson.accuracy), r: 3 }, curve);
    curve.setAttribute("aria-label", `Accuracy over marks: ${history.map((lesson) => `${percent(lesson.accuracy)} after ${lesson.num_marks}`).join(", ")}`);
  }
  return { show };
}
