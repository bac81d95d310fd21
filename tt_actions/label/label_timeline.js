"use strict";
/* The timeline: one lane for each player. Only the visible part is drawn. */
function makeTimeline(view) {
  const $ = (id) => document.getElementById(id);
  const RULER = 22;
  const BLOCK = 30;
  const LANE = 18 + BLOCK;
  const GRIP = 6; /* pixels around an edge that can be dragged */
  const EDGES = ["start_s", "contact_s", "end_s"];
  const scroller = $("scroller");
  const lanes = $("lanes");
  const overview = $("overview");
  let scale = 0; /* pixels per second */
  let waiting = false;
  let drag = null; /* the edge that is being moved */

  const height = () => RULER + LANE * view.players().length;
  const fit = () => Math.max(0.001, (scroller.clientWidth - 1) / Math.max(0.001, view.duration()));
  function setScale(wanted, keep) {
    const anchor = keep === undefined ? (scroller.scrollLeft + scroller.clientWidth / 2) / scale : keep;
    const at = anchor * scale - scroller.scrollLeft;
    scale = Math.max(fit(), Math.min(400, wanted));
    $("spacer").style.width = `${Math.floor(view.duration() * scale)}px`;
    if (Number.isFinite(at)) scroller.scrollLeft = anchor * scale - at;
    redraw();
  }
  function reveal(start, end) {
    const [left, right] = [start * scale - 80, end * scale + 80];
    if (left < scroller.scrollLeft || right > scroller.scrollLeft + scroller.clientWidth) {
      scroller.scrollLeft = ((start + end) / 2) * scale - scroller.clientWidth / 2;
    }
  }
  function follow(time) {
    const x = time * scale - scroller.scrollLeft;
    if (x < 0 || x > scroller.clientWidth - 20) scroller.scrollLeft += x - 60;
  }
  function prepare(canvas, width, high) {
    const ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(high * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(high * ratio);
      canvas.style.width = `${width}px`;
      canvas.style.height = `${high}px`;
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, high);
    return pen;
  }
  function readColours() {
    const style = getComputedStyle(document.documentElement);
    return Object.fromEntries(["ink", "quiet", "line", "accent", "ground", "soft"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  }
  const tickStep = () => [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600].find((s) => s * scale >= 64) || 7200;

  function stripe(pen, x, y, width, colour) {
    pen.save();
    pen.beginPath();
    pen.rect(x, y, width, BLOCK);
    pen.clip();
    pen.strokeStyle = colour;
    pen.lineWidth = 2;
    pen.beginPath();
    for (let i = -BLOCK; i < width; i += 8) { pen.moveTo(x + i, y + BLOCK); pen.lineTo(x + i + BLOCK, y); }
    pen.stroke();
    pen.restore();
  }
  function drawMark(pen, mark, colour) {
    const style = view.styleOf(mark.label ?? mark.proposed_label);
    const y = RULER + LANE * view.players().indexOf(mark.player) + 14;
    const x = mark.start_s * scale;
    const width = Math.max(2, (mark.end_s - mark.start_s) * scale);
    const fill = style ? style.colour : colour.quiet;
    if (mark.status === "rejected") {
      pen.fillStyle = colour.quiet;
      pen.fillRect(x, y + BLOCK / 2 - 1, width, 2);
    } else {
      pen.globalAlpha = mark.status === "accepted" ? 1 : 0.25;
      pen.fillStyle = fill;
      pen.fillRect(x, y, width, BLOCK);
      pen.globalAlpha = 1;
      if (mark.status === "proposed") {
        stripe(pen, x, y, width, `${fill}77`);
        pen.setLineDash([4, 3]);
        pen.strokeStyle = fill;
        pen.lineWidth = 1.5;
        pen.strokeRect(x + 0.75, y + 0.75, Math.max(0.5, width - 1.5), BLOCK - 1.5);
        pen.setLineDash([]);
      }
      const text = `${style ? style.code : ""}${mark.status === "proposed" ? "?" : ""}`;
      const room = pen.measureText(text).width + 6;
      if (text && width > room) {
        pen.fillStyle = mark.status === "accepted" ? fill : colour.ground;
        pen.fillRect(x + 2, y + 2, room - 1, 15);
        pen.fillStyle = mark.status === "accepted" ? style.ink : colour.ink;
        pen.fillText(text, x + 4, y + 14);
      }
      if (mark.contact_s !== null && width > 5) {
        pen.fillStyle = mark.status === "accepted" && style ? style.ink : colour.ink;
        pen.fillRect(mark.contact_s * scale - 1, y + BLOCK - 9, 2, 9);
      }
    }
    if (mark.id === view.current()?.id) drawFrame(pen, mark, x, y, width, colour);
  }
  function drawFrame(pen, mark, x, y, width, colour) {
    pen.strokeStyle = colour.ink;
    pen.lineWidth = 3;
    pen.strokeRect(x - 2, y - 2, width + 4, BLOCK + 4);
    for (const edge of EDGES) {
      if (mark[edge] === null) continue;
      const at = mark[edge] * scale;
      pen.fillStyle = edge === view.edge() ? colour.accent : colour.ink;
      pen.beginPath();
      if (edge === "contact_s") { pen.moveTo(at - 6, y - 10); pen.lineTo(at + 6, y - 10); pen.lineTo(at, y - 2); }
      else pen.rect(at - 3, y + BLOCK / 2 - 7, 6, 14);
      pen.fill();
    }
  }
  function drawRuler(pen, from, to, colour) {
    const step = tickStep();
    const digits = step < 1 ? 1 : 0;
    pen.fillStyle = colour.quiet;
    pen.strokeStyle = colour.line;
    pen.lineWidth = 1;
    pen.beginPath();
    for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
      const x = Math.round(at * scale) + 0.5;
      pen.moveTo(x, RULER - 6);
      pen.lineTo(x, height());
      pen.fillText(view.clock(at, digits), x + 3, 14);
    }
    pen.stroke();
  }
  function draw() {
    waiting = false;
    if (!view.isReady()) return;
    const width = scroller.clientWidth;
    const pen = prepare(lanes, width, height());
    const colour = readColours();
    const left = scroller.scrollLeft;
    const [from, to] = [left / scale, (left + width) / scale];
    pen.font = "12px system-ui, sans-serif";
    pen.translate(-left, 0);
    drawRuler(pen, from, to, colour);
    const seen = view.marks().filter((mark) => mark.end_s >= from && mark.start_s <= to);
    const chosen = view.current();
    pen.font = "600 12px system-ui, sans-serif";
    for (const mark of seen) if (mark.id !== chosen?.id) drawMark(pen, mark, colour);
    if (chosen) drawMark(pen, drag ? { ...chosen, [drag.edge]: drag.time } : chosen, colour);
    pen.fillStyle = colour.accent;
    pen.fillRect(view.now() * scale - 1, 0, 2, height());
    pen.setTransform(window.devicePixelRatio || 1, 0, 0, window.devicePixelRatio || 1, 0, 0);
    pen.font = "12px system-ui, sans-serif";
    pen.fillStyle = colour.ink;
    view.players().forEach((player, lane) => pen.fillText(player, 4, RULER + LANE * lane + 10, width - 8));
    drawOverview(colour, from, to);
  }
  function drawOverview(colour, from, to) {
    const width = overview.clientWidth;
    const pen = prepare(overview, width, 26);
    const x = (time) => (time / view.duration()) * width;
    const players = view.players();
    pen.fillStyle = colour.soft;
    pen.fillRect(0, 0, width, 26);
    for (const mark of view.marks()) {
      const style = view.styleOf(mark.label ?? mark.proposed_label);
      const high = 22 / players.length;
      pen.globalAlpha = { accepted: 1, proposed: 0.35, rejected: 0.12 }[mark.status];
      pen.fillStyle = style ? style.colour : colour.quiet;
      pen.fillRect(x(mark.start_s), 2 + high * players.indexOf(mark.player), Math.max(1.5, x(mark.end_s - mark.start_s)), high - 1);
    }
    pen.globalAlpha = 1;
    pen.fillStyle = colour.accent;
    pen.fillRect(x(view.now()) - 1, 0, 2, 26);
    pen.strokeStyle = colour.ink;
    pen.lineWidth = 1.5;
    pen.strokeRect(x(from) + 0.75, 0.75, Math.max(3, x(Math.min(to, view.duration())) - x(from) - 1.5), 24.5);
  }
  function redraw() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(draw);
  }

  /* ---- the mouse ---- */
  function pointAt(event) {
    const box = lanes.getBoundingClientRect();
    const time = Math.max(0, Math.min(view.duration(), (event.clientX - box.left + scroller.scrollLeft) / scale));
    const player = view.players()[Math.floor((event.clientY - box.top - RULER) / LANE)];
    return { time, player };
  }
  function edgeAt({ time, player }) {
    const chosen = view.current();
    if (!chosen || chosen.player !== player) return null;
    const near = EDGES.filter((edge) => chosen[edge] !== null).map((edge) => ({ edge, away: Math.abs(chosen[edge] - time) * scale }));
    near.sort((a, b) => a.away - b.away);
    return near[0].away <= GRIP ? near[0].edge : null;
  }
  function markAt({ time, player }) {
    const away = (mark) => Math.max(mark.start_s - time, time - mark.end_s, 0) * scale;
    const near = view.marks().filter((mark) => mark.player === player && away(mark) <= 4);
    return near.sort((a, b) => away(a) - away(b) || (a.end_s - a.start_s) - (b.end_s - b.start_s))[0];
  }
  lanes.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !view.isReady()) return;
    const point = pointAt(event);
    const edge = edgeAt(point);
    if (edge) {
      drag = { edge, time: view.current()[edge], from: event.clientX };
      lanes.setPointerCapture(event.pointerId);
      event.preventDefault();
      return;
    }
    const mark = markAt(point);
    if (mark) view.choose(mark.id);
    else view.seek(point.time);
  });
  lanes.addEventListener("pointermove", (event) => {
    if (!view.isReady()) return;
    const point = pointAt(event);
    lanes.style.cursor = drag || edgeAt(point) ? "ew-resize" : "pointer";
    if (drag) {
      drag.time = view.snap(point.time);
      view.show(drag.time);
      redraw();
      return;
    }
    const mark = markAt(point);
    lanes.title = mark ? view.describe(mark) : "";
  });
  const drop = (event) => {
    if (!drag) return;
    const { edge, time, from } = drag;
    drag = null;
    if (event.type === "pointerup" && Math.abs(event.clientX - from) > 1) view.move(edge, time);
    redraw();
  };
  lanes.addEventListener("pointerup", drop);
  lanes.addEventListener("pointercancel", drop);
  scroller.addEventListener("scroll", redraw);
  scroller.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    setScale(scale * (event.deltaY < 0 ? 1.25 : 0.8), pointAt(event).time);
  }, { passive: false });
  function pan(event) {
    const box = overview.getBoundingClientRect();
    scroller.scrollLeft = ((event.clientX - box.left) / box.width) * view.duration() * scale - scroller.clientWidth / 2;
  }
  overview.addEventListener("pointerdown", pan);
  overview.addEventListener("pointermove", (event) => { if (event.buttons) pan(event); });
  $("in").addEventListener("click", () => setScale(scale * 2));
  $("out").addEventListener("click", () => setScale(scale / 2));
  $("whole").addEventListener("click", () => setScale(0));
  new ResizeObserver(() => { if (view.isReady()) setScale(scale || 60); }).observe(scroller);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

  return { redraw, reveal, follow, zoom: (factor) => setScale(scale * factor), restart: () => setScale(60, 0) };
}
