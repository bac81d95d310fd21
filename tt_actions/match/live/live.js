"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const strokes = new Map(); /* by number */
  const LISTED = 8;
  const RULER = 20;
  const LANE = 40;
  const WORDS = { running: "running", lost: "connection lost, reconnecting", ended: "ended", failed: "failed", stopped: "stopped" };
  let run = null;
  let state = "waiting";
  let time = { server: 0, own: 0 };

  function make(tag, text, className) {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (className) element.className = className;
    return element;
  }
  function clock(seconds, digits) {
    const total = Math.max(0, seconds);
    const hours = Math.floor(total / 3600);
    const minutes = Math.floor(total / 60) % 60;
    const scale = 10 ** digits;
    const rest = (Math.floor((total % 60) * scale) / scale).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
    return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
  }
  const percent = (share) => `${Math.round(100 * share)}\u00a0%`;
  const seconds = (value) => (value === null ? "–" : `${value.toFixed(2)}\u00a0s`);
  /* the clock keeps running between two updates */
  const now = () => time.server + (state === "running" ? Math.min(2, (performance.now() - time.own) / 1000) : 0);

  /* ---- video ---- */
  const tags = data.players.map((player, number) => {
    const region = data.regions[number];
    const box = make("div", undefined, region ? "region" : "region whole");
    if (region) {
      const [left, top, right, bottom] = region;
      Object.assign(box.style, { left: `${left}%`, top: `${top}%`, width: `${right - left}%`, height: `${bottom - top}%` });
    }
    const tag = make("div", undefined, region && region[0] + region[2] > 100 ? "tag right" : "tag");
    const prediction = make("div");
    tag.append(make("div", player), prediction);
    box.append(tag);
    $("screen").append(box);
    return { box, prediction };
  });
  $("screen").style.width = `calc(62vh * ${$("picture").getAttribute("width") / $("picture").getAttribute("height")})`;
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  async function watch() {
    let number = -1;
    for (;;) {
      if (document.hidden) {
        await pause(300);
        continue;
      }
      try {
        const answer = await fetch(`/picture.jpg?after=${number}`, { cache: "no-store" });
        number = Number(answer.headers.get("Number"));
        if (answer.status === 200) {
          const address = URL.createObjectURL(await answer.blob());
          const before = $("picture").src;
          $("picture").src = address;
          await $("picture").decode().catch(() => undefined);
          if (before) URL.revokeObjectURL(before);
        } else await pause(100);
      } catch {
        if (state === "ended" || state === "stopped" || state === "failed") return;
        await pause(1000);
      }
    }
  }

  /* ---- numbers ---- */
  function show(id, text) {
    if ($(id).textContent !== text) $(id).textContent = text;
  }
  function showState(name, message) {
    state = name;
    show("state", WORDS[name] || name);
    $("state").className = `state ${name}`;
    show("message", message);
  }
  function swatch(label) {
    return document.querySelectorAll(".counts .swatch")[label].cloneNode(true);
  }
  function listStrokes() {
    const newest = [...strokes.values()].sort((a, b) => b.number - a.number).slice(0, LISTED);
    $("none").hidden = newest.length > 0;
    $("strokes").replaceChildren(...newest.map((stroke) => {
      const row = make("li");
      const name = data.classes[stroke.label].name;
      const who = data.players.length > 1 ? `${name}, ${data.players[stroke.player]}` : name;
      row.append(make("span", clock(stroke.start, 1)), swatch(stroke.label), make("span", who), make("span", percent(stroke.confidence), "quiet"));
      row.title = `${who}, ${clock(stroke.start, 2)} to ${clock(stroke.end, 2)}, delay ${seconds(stroke.delay)}`;
      return row;
    }));
  }
  function showNow(shares) {
    shares.forEach(([label, share], number) => {
      const { box, prediction } = tags[number];
      const style = data.classes[label];
      const text = style ? `${style.name} ${percent(share)}` : "";
      if (prediction.textContent !== text) prediction.textContent = text;
      box.style.borderColor = style ? style.colour : "";
    });
  }
  function take(news) {
    if (run !== null && news.run !== run) {
      location.reload(); /* the server now runs another analysis */
      return;
    }
    run = news.run;
    for (const stroke of news.strokes) strokes.set(stroke.number, stroke);
    for (const cell of document.querySelectorAll("[data-count]")) {
      const [player, label] = cell.dataset.count.split(",");
      const text = String(news.counts[player][label]);
      if (cell.textContent !== text) cell.textContent = text;
    }
    show("total", String(news.counts.flat().reduce((sum, count) => sum + count, 0)));
    if (news.strokes.length) listStrokes();
    if (news.state === undefined) return;
    time = { server: news.time_s, own: performance.now() };
    showState(news.state, news.message);
    show("delay", seconds(news.delay_s));
    show("slow", seconds(news.slow_delay_s));
    show("fps", news.fps.toFixed(1));
    show("dropped", String(news.num_dropped));
    showNow(news.now);
  }
  const events = new EventSource("/events");
  events.addEventListener("message", (event) => take(JSON.parse(event.data)));
  events.addEventListener("error", () => {
    if (state === "ended" || state === "stopped" || state === "failed") events.close();
    else showState("waiting", "The program is not responding. Is it still running?");
  });

  /* ---- timeline ---- */
  const lanes = $("lanes");
  const styles = getComputedStyle(document.documentElement);
  function fit() {
    const ratio = devicePixelRatio || 1;
    const width = lanes.clientWidth;
    const height = RULER + LANE * data.players.length;
    if (lanes.width !== Math.round(width * ratio) || lanes.height !== Math.round(height * ratio)) {
      lanes.width = Math.round(width * ratio);
      lanes.height = Math.round(height * ratio);
      lanes.style.height = `${height}px`;
    }
    const pen = lanes.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    return { pen, width, height };
  }
  function drawGround(pen, width, height, end, scale) {
    const colour = (name) => styles.getPropertyValue(name);
    pen.font = "12px system-ui, sans-serif";
    pen.textBaseline = "middle";
    data.players.forEach((_, number) => {
      pen.fillStyle = colour("--soft");
      pen.fillRect(0, RULER + LANE * number + 2, width, LANE - 4);
    });
    pen.textAlign = "center";
    for (let at = Math.ceil((end - data.seconds) / 10) * 10; at <= end; at += 10) {
      if (at < 0) continue;
      const x = width - (end - at) * scale;
      pen.fillStyle = colour("--line");
      pen.fillRect(x, RULER - 4, 1, height);
      pen.fillStyle = colour("--quiet");
      if (x > 16 && x < width - 16) pen.fillText(clock(at, 0), x, 8);
    }
  }
  function drawStroke(pen, stroke, width, end, scale) {
    const style = data.classes[stroke.label];
    const x = width - (end - stroke.start) * scale;
    const wide = Math.max(2, (stroke.end - stroke.start) * scale);
    const y = RULER + LANE * stroke.player + 16;
    pen.fillStyle = style.colour;
    pen.fillRect(x, y, wide, LANE - 20);
    if (wide < 8 + 7 * style.code.length) return;
    pen.fillStyle = style.ink;
    pen.font = "600 12px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.fillText(style.code, x + wide / 2, y + (LANE - 20) / 2 + 1);
  }
  function drawTimeline() {
    if (document.hidden || !lanes.clientWidth) return;
    const { pen, width, height } = fit();
    const end = Math.max(now(), data.seconds);
    const scale = width / data.seconds;
    drawGround(pen, width, height, end, scale);
    for (const [number, stroke] of strokes) {
      if (stroke.end < end - data.seconds && strokes.size > LISTED) strokes.delete(number);
      else drawStroke(pen, stroke, width, end, scale);
    }
    pen.font = "12px system-ui, sans-serif";
    pen.textAlign = "left";
    pen.fillStyle = styles.getPropertyValue("--ink");
    data.players.forEach((player, number) => pen.fillText(player, 4, RULER + LANE * number + 10, width - 8));
    show("clock", clock(now(), 0));
  }
  setInterval(drawTimeline, 100);
  watch();
})();
