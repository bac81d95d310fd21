"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const SVG = "http://www.w3.org/2000/svg";
  const strokes = data.strokes.map(([start, contact, end, label, confidence, player], number) => (
    { number, start, contact, end, label, confidence, player }));
  if (!strokes.length && !data.speed) {
    document.querySelector(".timeline").hidden = true;
    watchVideo($("video"));
    return;
  }
  const video = $("video");
  const table = $("table");
  const body = table.tBodies[0];
  const unsure = (stroke) => stroke.confidence !== null && stroke.confidence < data.unsure;
  const isShown = strokes.map(() => true);
  let order = strokes.map((stroke) => stroke.number);
  let chosen = -1;
  let stopAt = null;

  function clock(seconds, digits) {
    const scale = 10 ** digits;
    const total = Math.round(seconds * scale) / scale;
    const hours = Math.floor(total / 3600);
    const minutes = Math.floor(total / 60) % 60;
    const rest = (total % 60).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
    return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
  }
  const percent = (share) => (share === null ? "–" : `${Math.round(100 * share)}\u00a0%`);
  function make(tag, text, className) {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (className) element.className = className;
    return element;
  }
  function draw(tag, attributes, parent) {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (parent) parent.append(element);
    return element;
  }
  function swatch(label) {
    const there = document.querySelector(`.legend [data-swatch="${label}"]`);
    return there ? there.cloneNode(true) : make("span");
  }

  /* ---- the video ---- */
  function watchVideo(element) {
    if (!element) return;
    const giveUp = () => { element.hidden = true; $("lost").hidden = false; };
    element.addEventListener("error", giveUp);
    if (element.error) giveUp();
  }
  watchVideo(video);
  const timeNow = () => (video && !video.error ? video.currentTime : chosen < 0 ? 0 : strokes[chosen].start);

  /* ---- selecting a stroke ---- */
  function choose(number, jump = true) {
    const stroke = strokes[number];
    if (chosen >= 0 && rows[chosen]) mark(rows[chosen], false);
    chosen = number;
    stopAt = null;
    showPage(Math.floor(listed().indexOf(number) / PAGE));
    mark(rowOf(number), true);
    showRow(rows[number]);
    const sure = stroke.confidence === null ? "" : `, confidence ${percent(stroke.confidence)}`;
    const warning = unsure(stroke) ? " (low: please check)" : "";
    const text = `No. ${number + 1}: ${data.classes[stroke.label].name}, ${data.players[stroke.player]}, `
      + `${clock(stroke.start, 2)} to ${clock(stroke.end, 2)}${sure}${warning}`;
    $("now").textContent = text;
    const scroller = $("scroller");
    scroller.setAttribute("aria-valuenow", number + 1);
    scroller.setAttribute("aria-valuetext", text);
    if (video && jump) video.currentTime = stroke.start;
    drawStrip(stroke);
    showPictures(stroke);
    reveal(stroke.start, stroke.end);
    redraw();
  }
  function mark(row, isChosen) {
    row.classList.toggle("chosen", isChosen);
    row.querySelector("button").tabIndex = isChosen ? 0 : -1;
  }
  function showRow(row) {
    const box = $("rows");
    const top = row.offsetTop - table.tHead.offsetHeight;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (row.offsetTop + row.offsetHeight > box.scrollTop + box.clientHeight) {
      box.scrollTop = row.offsetTop + row.offsetHeight - box.clientHeight;
    }
  }
  function step(by) {
    const shown = strokes.map((stroke) => stroke.number).filter((number) => isShown[number]);
    if (!shown.length) return;
    const later = shown.findIndex((number) => number > chosen);
    const earlier = shown.findLastIndex((number) => number < chosen || chosen < 0);
    const at = by > 0 ? later : earlier;
    if (at >= 0) choose(shown[at]);
  }
  function jumpTo(end) {
    const shown = strokes.map((stroke) => stroke.number).filter((number) => isShown[number]);
    if (shown.length) choose(shown.at(end));
  }
  $("previous").addEventListener("click", () => step(-1));
  $("next").addEventListener("click", () => step(1));
  if (video) {
    $("play").addEventListener("click", () => {
      if (!strokes.length) return;
      if (chosen < 0) choose(0);
      video.currentTime = strokes[chosen].start;
      stopAt = strokes[chosen].end;
      video.play().catch(() => { stopAt = null; });
    });
    video.addEventListener("timeupdate", () => { follow(); redraw(); });
    video.addEventListener("seeked", redraw);
    video.addEventListener("play", function tick() {
      if (stopAt !== null && video.currentTime >= stopAt) { video.pause(); stopAt = null; }
      redraw();
      if (!video.paused) requestAnimationFrame(tick);
    });
  }

  /* ---- pictures of a stroke ---- */
  function showPictures(stroke) {
    const place = $("pictures");
    place.replaceChildren();
    if (!data.pictures) return;
    const own = data.pictures.strokes[stroke.number];
    if (!own) { place.append(make("p", data.pictures.missing, "quiet")); return; }
    const names = ["Backswing", "Contact", "Follow-through"];
    own.forEach(([time, jpeg], moment) => {
      const image = make("img");
      image.src = `data:image/jpeg;base64,${jpeg}`;
      image.alt = `${names[moment]} of stroke ${stroke.number + 1}, ${data.players[stroke.player]}`;
      const figure = make("figure");
      const caption = make("figcaption");
      caption.append(make("span", names[moment]), make("span", clock(time, 2)));
      figure.append(image, caption);
      if (video) {
        const button = make("button");
        button.type = "button";
        button.title = "Show this moment in the video";
        button.append(image);
        button.addEventListener("click", () => { video.pause(); video.currentTime = time; });
        figure.prepend(button);
      }
      place.append(figure);
    });
  }

  /* ---- probabilities ---- */
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const unpacked = data.frames.map(() => null);
  function frames(player) {
    if (!unpacked[player]) {
      const { times, levels } = data.frames[player];
      unpacked[player] = { times: new Uint32Array(bytes(times).buffer), levels: bytes(levels) };
    }
    return unpacked[player];
  }
  function drawStrip(stroke) {
    const { times, levels } = frames(stroke.player);
    const size = data.frameClasses.length;
    const begin = 1000 * Math.max(0, stroke.start - data.around);
    const end = 1000 * (stroke.end + data.around);
    const inside = [];
    times.forEach((time, frame) => { if (time >= begin && time <= end) inside.push(frame); });
    const strip = $("strip");
    strip.replaceChildren();
    if (!inside.length) { strip.append(make("p", "No probabilities are available for this stroke.", "note quiet")); return; }
    const peaks = data.frameClasses.map((_, k) => Math.max(...inside.map((frame) => levels[frame * size + k])) / 255);
    const ranked = peaks.map((_, k) => k).sort((a, b) => peaks[b] - peaks[a]);
    strip.append(make("p", `Probabilities from ${clock(begin / 1000, 1)} to ${clock(end / 1000, 1)}. `
      + "The grey area is the stroke, the vertical line the contact. The number on the right is the maximum.", "note quiet"));
    const x = (seconds) => (100 * (1000 * seconds - begin)) / (end - begin);
    for (const k of ranked.filter((k, rank) => rank < 2 || peaks[k] >= 0.1).slice(0, 6)) {
      const [name, label] = data.frameClasses[k];
      const heading = make("div", undefined, "class");
      heading.append(label < 0 ? make("span") : swatch(label), make("span", name));
      heading.title = name;
      const curve = draw("svg", { class: "curve", viewBox: "0 0 100 1", preserveAspectRatio: "none", role: "img" });
      curve.setAttribute("aria-label", `${name}: maximum ${percent(peaks[k])}`);
      draw("rect", { class: "inside", x: x(stroke.start), width: x(stroke.end) - x(stroke.start), height: 1 }, curve);
      const points = inside.map((frame) => `${x(times[frame] / 1000).toFixed(2)},${(1 - levels[frame * size + k] / 255).toFixed(3)}`);
      const last = x(times[inside[inside.length - 1]] / 1000);
      draw("path", { class: label < 0 ? "idle" : `k${label}`, d: `M${x(times[inside[0]] / 1000)},1L${points.join("L")}L${last},1Z` }, curve);
      if (stroke.contact !== null) draw("line", { class: "contact", x1: x(stroke.contact), x2: x(stroke.contact), y1: 0, y2: 1 }, curve);
      strip.append(heading, curve, make("div", percent(peaks[k]), "peak"));
    }
  }

  /* ---- the command that corrects strokes: the page lies in the folder that it names ---- */
  if ($("correct") && location.protocol === "file:") {
    const folder = decodeURIComponent(location.pathname).replace(/\/[^/]*$/, "").replace(/^\/([A-Za-z]:)/, "$1");
    const quoted = /^[\w@%+=:,./-]+$/.test(folder) ? folder : `'${folder.replaceAll("'", "'\\''")}'`;
    $("correct").textContent = `tt-actions label --from ${quoted}`;
  }

  /* ---- the table: 200 rows per page, built when first shown ---- */
  const PAGE = 200;
  const rows = strokes.map(() => null);
  let page = -1;
  const listed = () => order.filter((number) => isShown[number]);
  function rowOf(number) {
    if (!rows[number]) rows[number] = makeRow(strokes[number]);
    return rows[number];
  }
  function makeRow(stroke) {
    const row = make("tr");
    row.dataset.number = stroke.number;
    const label = make("td");
    label.append(swatch(stroke.label), " ", make("span", data.classes[stroke.label].name, "cut"));
    const player = make("td");
    player.append(make("span", data.players[stroke.player], "cut"));
    const start = make("td");
    const jump = make("button", clock(stroke.start, 2));
    jump.type = "button";
    jump.tabIndex = -1;
    jump.setAttribute("aria-label", `Go to stroke ${stroke.number + 1} at ${clock(stroke.start, 2)}`);
    start.append(jump);
    row.append(make("td", stroke.number + 1), start, label,
      make("td", percent(stroke.confidence), unsure(stroke) ? "unsure" : ""),
      make("td", stroke.contact === null ? "–" : clock(stroke.contact, 2)), make("td", clock(stroke.end, 2)), player);
    return row;
  }
  function showPage(wanted) {
    const numbers = listed();
    const last = Math.max(0, Math.ceil(numbers.length / PAGE) - 1);
    const next = Math.max(0, Math.min(last, wanted));
    $("pager").hidden = last === 0;
    $("place").textContent = `Rows ${next * PAGE + 1} to ${Math.min(numbers.length, (next + 1) * PAGE)} of ${numbers.length}`;
    $("back").disabled = next === 0;
    $("forward").disabled = next === last;
    if (next === page) return;
    page = next;
    body.replaceChildren(...numbers.slice(page * PAGE, (page + 1) * PAGE).map(rowOf));
    $("rows").scrollTop = 0;
    const first = body.querySelector("tr.chosen button") || body.querySelector("button");
    if (first) first.tabIndex = 0;
  }
  function relist() {
    page = -1;
    showPage(chosen < 0 ? 0 : Math.floor(listed().indexOf(chosen) / PAGE));
  }
  const collator = new Intl.Collator("en", { numeric: true });
  const sortValue = {
    label: (stroke) => data.classes[stroke.label].name,
    player: (stroke) => data.players[stroke.player],
  };
  function sortBy(heading) {
    const key = heading.dataset.key;
    const direction = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    const value = sortValue[key] || ((stroke) => stroke[key]);
    order = strokes.map((stroke) => stroke.number).sort((a, b) => {
      const [one, other] = [value(strokes[a]), value(strokes[b])];
      if (one === null || other === null) return (one === null) - (other === null) || a - b;
      const difference = typeof one === "string" ? collator.compare(one, other) : one - other;
      return direction * difference || a - b;
    });
    table.tHead.querySelectorAll("th").forEach((th) => th.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
    relist();
  }
  function filter() {
    const player = $("by-player").value;
    const label = $("by-class").value;
    const doubtful = $("only-unsure").checked;
    strokes.forEach((stroke) => {
      isShown[stroke.number] = (player === "" || stroke.player === Number(player))
        && (label === "" || stroke.label === Number(label)) && (!doubtful || unsure(stroke));
    });
    relist();
    dirty = true;
    const number = listed().length;
    $("shown").textContent = number === strokes.length
      ? `All ${number} strokes.` : `${number} of ${strokes.length} strokes. The download contains only these.`;
    redraw();
  }
  function csv() {
    const cell = (value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
    const fixed = (value, digits) => (value === null ? "" : value.toFixed(digits));
    const lines = strokes.filter((stroke) => isShown[stroke.number]).map((s) => [
      fixed(s.start, 3), fixed(s.contact, 3), fixed(s.end, 3), data.classes[s.label].name, fixed(s.confidence, 4),
      data.players[s.player]].map(cell).join(","));
    return `${[data.columns.join(","), ...lines].join("\n")}\n`;
  }
  table.tHead.addEventListener("click", (event) => {
    const heading = event.target.closest("th");
    if (heading) sortBy(heading);
  });
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (row) choose(Number(row.dataset.number));
  });
  body.addEventListener("keydown", (event) => {
    const row = event.target.closest("tr");
    const next = { ArrowDown: row?.nextElementSibling, ArrowUp: row?.previousElementSibling }[event.key];
    if (!next) return;
    event.preventDefault();
    choose(Number(next.dataset.number));
    next.querySelector("button").focus({ preventScroll: true });
  });
  $("back").addEventListener("click", () => showPage(page - 1));
  $("forward").addEventListener("click", () => showPage(page + 1));
  for (const id of ["by-player", "by-class", "only-unsure"]) $(id).addEventListener("change", filter);
  $("download").addEventListener("click", () => {
    const link = make("a");
    link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv;charset=utf-8" }));
    link.download = "strokes.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  });

  /* ---- the timeline: only the visible part is drawn ---- */
  const RULER = 22;
  const BLOCK = 30;
  const CURVE = data.speed ? 52 : 0; /* the speed of the hand, below the strokes */
  const LANE = 18 + BLOCK + CURVE;
  const scroller = $("scroller");
  const lanes = $("lanes");
  const overview = $("overview");
  const height = RULER + LANE * data.players.length;
  let scale = 0; /* pixels per second */
  let waiting = false;
  let dirty = true; /* the overview must be redrawn */
  const picture = document.createElement("canvas");

  const fit = () => Math.max(0.001, scroller.clientWidth / data.duration);
  function setScale(wanted, keep) {
    const anchor = keep === undefined ? (scroller.scrollLeft + scroller.clientWidth / 2) / scale : keep;
    const at = anchor * scale - scroller.scrollLeft;
    scale = Math.max(fit(), Math.min(200, wanted));
    $("spacer").style.width = `${Math.floor(data.duration * scale)}px`;
    if (Number.isFinite(at)) scroller.scrollLeft = anchor * scale - at;
    redraw();
  }
  function reveal(start, end) {
    const [left, right] = [start * scale - 60, end * scale + 60];
    if (left < scroller.scrollLeft || right > scroller.scrollLeft + scroller.clientWidth) {
      scroller.scrollLeft = (start + end) / 2 * scale - scroller.clientWidth / 2;
    }
  }
  function follow() {
    const x = video.currentTime * scale - scroller.scrollLeft;
    if (!video.paused && (x < 0 || x > scroller.clientWidth - 20)) scroller.scrollLeft += x - 40;
  }
  function prepare(canvas, width, high) {
    const ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(high * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(high * ratio);
      canvas.style.width = `${width}px`;
      canvas.style.height = `${high}px`;
    }
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, high);
    return context;
  }
  function colours() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    return { ink: colour("--ink"), quiet: colour("--quiet"), line: colour("--line"), accent: colour("--accent"), ground: colour("--ground") };
  }
  function tickStep(pixelsPerSecond) {
    return [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600].find((s) => s * pixelsPerSecond >= 64) || 7200;
  }
  /* lines inside a block: dots, horizontal, vertical; "unsure" is diagonal. For screen and paper. */
  function textureOf(kind, x, y, width, high, gap) {
    const parts = [];
    if (kind === 1) for (let i = gap / 2; i < width; i += gap) for (let j = gap / 2; j < high; j += gap) parts.push(`M${x + i},${y + j}h${gap / 3}`);
    if (kind === 2) for (let j = gap / 2; j < high; j += gap) parts.push(`M${x},${y + j}h${width}`);
    if (kind === 3) for (let i = gap / 2; i < width; i += gap) parts.push(`M${x + i},${y}v${high}`);
    if (kind === "unsure") {
      for (let i = gap - high; i < width; i += gap) {
        const [from, to] = [Math.max(0, i), Math.min(width, i + high)];
        parts.push(`M${x + from},${y + high - (from - i)}L${x + to},${y + high - (to - i)}`);
      }
    }
    return parts.join("");
  }
  function texture(context, kind, ink, ...box) {
    context.save();
    context.globalAlpha *= 0.65;
    context.strokeStyle = ink;
    context.lineWidth = 1.5;
    context.stroke(new Path2D(textureOf(kind, ...box, 6)));
    context.restore();
  }
  function drawBlock(context, stroke, x, width, y, high, colour) {
    const style = data.classes[stroke.label];
    context.globalAlpha = isShown[stroke.number] ? 1 : 0.15;
    context.fillStyle = style.colour;
    context.fillRect(x, y, width, high);
    if (width > 5) {
      if (style.pattern) texture(context, style.pattern, style.ink, x, y, width, high);
      if (unsure(stroke)) texture(context, "unsure", style.ink, x, y, width, high);
      const room = context.measureText(style.code).width + 6;
      if (width > room) {
        context.fillStyle = style.colour;
        context.fillRect(x + 2, y + 2, room - 1, 15);
        context.fillStyle = style.ink;
        context.fillText(style.code, x + 4, y + 14);
      }
      if (stroke.contact !== null) {
        const at = x + (stroke.contact - stroke.start) * scale;
        context.fillStyle = style.ink;
        context.fillRect(at - 1, y + high - 9, 2, 9);
      }
    }
    if (stroke.number === chosen) {
      context.globalAlpha = 1;
      context.strokeStyle = colour.ink;
      context.lineWidth = 3;
      context.strokeRect(x - 2, y - 2, width + 4, high + 4);
    }
    context.globalAlpha = 1;
  }
  const speeds = data.speed ? data.speed.levels.map(bytes) : [];
  const LOST = 255;
  function drawSpeed(context, colour, player, from, to, x) {
    const { rate, top, least } = data.speed;
    const levels = speeds[player];
    const base = RULER + LANE * (player + 1) - 3;
    const y = (level) => base - ((CURVE - 9) * level) / (LOST - 1);
    const each = Math.max(1, Math.floor(rate / scale)); /* values per pixel: the highest is drawn */
    context.beginPath();
    let isOpen = false;
    for (let at = Math.max(0, Math.floor((from * rate) / each) - 1) * each; at < levels.length && at / rate < to + each / rate; at += each) {
      const known = levels.subarray(at, at + each).filter((level) => level !== LOST);
      if (!known.length) { isOpen = false; continue; }
      const highest = y(Math.max(...known));
      if (!isOpen) context.moveTo(x(at / rate), highest);
      context.lineTo(x((at + each / 2) / rate), highest);
      isOpen = true;
    }
    context.strokeStyle = colour.accent;
    context.lineWidth = 1.5;
    context.stroke();
    context.beginPath();
    context.setLineDash([4, 4]);
    context.moveTo(0, y((least / top) * (LOST - 1)));
    context.lineTo(scroller.clientWidth, y((least / top) * (LOST - 1)));
    context.strokeStyle = colour.quiet;
    context.lineWidth = 1;
    context.stroke();
    context.setLineDash([]);
  }
  function speedAt(player, time) {
    const level = data.speed ? speeds[player]?.[Math.floor(time * data.speed.rate)] : undefined;
    if (level === undefined) return "";
    return level === LOST ? "player not found" : `hand speed ${((level / (LOST - 1)) * data.speed.top).toFixed(1)}`;
  }
  function drawLanes(colour) {
    const width = scroller.clientWidth;
    const context = prepare(lanes, width, height);
    const from = scroller.scrollLeft / scale;
    const to = (scroller.scrollLeft + width) / scale;
    const x = (seconds) => (seconds - from) * scale;
    context.font = "12px system-ui, sans-serif";
    const each = tickStep(scale);
    for (let tick = Math.floor(from / each) * each; tick <= to; tick += each) {
      context.fillStyle = colour.line;
      context.fillRect(x(tick), RULER - 6, 1, height);
      context.fillStyle = colour.quiet;
      context.fillText(clock(tick, each < 1 ? 1 : 0), x(tick) + 3, 14);
    }
    context.font = "600 12px system-ui, sans-serif";
    for (const stroke of strokes) {
      if (stroke.end < from || stroke.start > to) continue;
      const y = RULER + LANE * stroke.player + 16;
      drawBlock(context, stroke, x(stroke.start), Math.max(2, (stroke.end - stroke.start) * scale), y, BLOCK, colour);
    }
    context.font = "12px system-ui, sans-serif";
    data.players.forEach((player, lane) => {
      const y = RULER + LANE * lane;
      context.fillStyle = colour.line;
      context.fillRect(0, y, width, 1);
      if (data.speed) drawSpeed(context, colour, lane, from, to, x);
      context.fillStyle = colour.ink;
      context.fillText(player.length > 24 ? `${player.slice(0, 23)}…` : player, 4, y + 12);
    });
    context.fillStyle = colour.accent;
    context.fillRect(x(timeNow()) - 1, 0, 2, height);
    context.beginPath();
    context.moveTo(x(timeNow()) - 6, 0);
    context.lineTo(x(timeNow()) + 6, 0);
    context.lineTo(x(timeNow()), 8);
    context.fill();
  }
  function drawOverview(colour) {
    const width = scroller.clientWidth;
    const x = (seconds) => (seconds / data.duration) * width;
    const high = 28 / data.players.length;
    const ratio = window.devicePixelRatio || 1;
    if (dirty || picture.width !== Math.round(width * ratio)) {
      const context = prepare(picture, width, 34);
      for (const stroke of strokes) {
        context.globalAlpha = isShown[stroke.number] ? 1 : 0.12;
        context.fillStyle = data.classes[stroke.label].colour;
        context.fillRect(x(stroke.start), 3 + high * stroke.player, Math.max(1, x(stroke.end - stroke.start)), high - 1);
      }
      context.globalAlpha = 1;
      dirty = false;
    }
    const context = prepare(overview, width, 34);
    context.drawImage(picture, 0, 0, width, 34);
    context.strokeStyle = colour.ink;
    context.lineWidth = 1.5;
    const left = x(scroller.scrollLeft / scale);
    context.strokeRect(left + 1, 1, Math.min(width - 2, Math.max(4, x(width / scale) - 2)), 32);
    context.fillStyle = colour.accent;
    context.fillRect(x(timeNow()) - 1, 0, 2, 34);
  }
  function redraw() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      if (!scroller.clientWidth) return; /* while printing */
      const colour = colours();
      drawLanes(colour);
      drawOverview(colour);
    });
  }
  function strokeAt(event) {
    const box = lanes.getBoundingClientRect();
    const time = (scroller.scrollLeft + event.clientX - box.left) / scale;
    const lane = Math.floor((event.clientY - box.top - RULER) / LANE);
    const away = (stroke) => Math.max(stroke.start - time, time - stroke.end, 0) * scale;
    const near = strokes.filter((s) => s.player === lane && isShown[s.number] && away(s) <= 6);
    return { time, lane, stroke: near.sort((a, b) => away(a) - away(b))[0] };
  }
  lanes.addEventListener("click", (event) => {
    const { time, stroke } = strokeAt(event);
    if (stroke) choose(stroke.number);
    else if (video) video.currentTime = Math.max(0, Math.min(data.duration, time));
  });
  lanes.addEventListener("mousemove", (event) => {
    const { time, lane, stroke } = strokeAt(event);
    const parts = stroke ? [data.classes[stroke.label].name, data.players[stroke.player], clock(stroke.start, 2)] : [];
    lanes.title = [...parts, speedAt(lane, time)].filter(Boolean).join(", ");
  });
  scroller.addEventListener("scroll", redraw);
  scroller.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    setScale(scale * (event.deltaY < 0 ? 1.25 : 0.8), strokeAt(event).time);
  }, { passive: false });
  function pan(event) {
    const box = overview.getBoundingClientRect();
    scroller.scrollLeft = ((event.clientX - box.left) / box.width) * data.duration * scale - scroller.clientWidth / 2;
  }
  overview.addEventListener("pointerdown", pan);
  overview.addEventListener("pointermove", (event) => { if (event.buttons) pan(event); });
  $("in").addEventListener("click", () => setScale(scale * 2));
  $("out").addEventListener("click", () => setScale(scale / 2));
  $("whole").addEventListener("click", () => setScale(0));
  scroller.addEventListener("keydown", (event) => {
    const action = {
      ArrowRight: () => step(1), ArrowLeft: () => step(-1), ArrowDown: () => step(1), ArrowUp: () => step(-1),
      Home: () => jumpTo(0), End: () => jumpTo(-1),
      "+": () => setScale(scale * 2), "=": () => setScale(scale * 2), "-": () => setScale(scale / 2),
      Enter: () => { if (video) $("play").click(); },
    }[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action();
  });
  new ResizeObserver(() => setScale(scale)).observe(scroller);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

  /* ---- printing: the whole timeline, line by line ---- */
  function drawPrinted() {
    const printed = $("printed");
    if (printed.childElementCount) return;
    const most = data.duration > 900 ? 40 : 15; /* lines; the timeline of a long match gets its own page */
    const seconds = [5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800].find((s) => data.duration / s <= most) || 3600;
    const high = 13 * data.players.length + 15;
    for (let from = 0; from < data.duration; from += seconds) {
      const line = draw("svg", { viewBox: `0 0 700 ${high}`, class: "row" }, printed);
      draw("text", { x: 0, y: 11 }, line).textContent = clock(from, 0);
      draw("line", { x1: 0, x2: (700 * Math.min(seconds, data.duration - from)) / seconds, y1: 14, y2: 14, stroke: "#999" }, line);
      for (const stroke of strokes) {
        if (stroke.end <= from || stroke.start >= from + seconds) continue;
        const [x, end] = [Math.max(stroke.start, from), Math.min(stroke.end, from + seconds)].map((s) => (700 * (s - from)) / seconds);
        const place = { x, y: 15 + 13 * stroke.player, width: Math.max(0.5, end - x), height: 11 };
        const style = data.classes[stroke.label];
        draw("rect", { ...place, class: `k${stroke.label}` }, line);
        for (const kind of [style.pattern, unsure(stroke) ? "unsure" : 0]) {
          if (!kind) continue;
          const d = textureOf(kind, place.x, place.y, place.width, place.height, 4);
          draw("path", { d, stroke: style.ink, "stroke-width": 0.8, "stroke-opacity": 0.7 }, line);
        }
        if (end - x > 5 + 5 * style.code.length) {
          draw("text", { x: x + 2, y: place.y + 8.5, class: `i${stroke.label}` }, line).textContent = style.code;
        }
      }
    }
  }
  const list = document.querySelector(".list");
  const besideList = list.nextElementSibling;
  addEventListener("beforeprint", () => {
    drawPrinted();
    document.querySelector("main").append(list);
    body.replaceChildren(...listed().map(rowOf));
  });
  addEventListener("afterprint", () => {
    besideList.before(list);
    relist();
  });

  filter();
  scale = Math.max(fit(), 40);
  setScale(scale, 0);
})();
