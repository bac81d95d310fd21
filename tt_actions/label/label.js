(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const video = $("video");
  const POLL = 1500; /* milliseconds */
  const NEW = 0.5; /* half the length of an added stroke, in seconds */
  const EDGES = { start_s: "Start", contact_s: "Contact", end_s: "End" };
  const WORDS = { proposed: "to check", accepted: "accepted", rejected: "no stroke" };
  let number = 0; /* of the video */
  let state = null;
  let marks = []; /* by time */
  let keys = new Map(); /* by id: all that is known of a mark, to see what has changed */
  let chosen = null; /* id of the selected mark */
  let place = 0; /* its place among the proposals, where the next one takes its place */
  let edge = "contact_s"; /* which + and - move */
  let isTraining = false;
  let isGone = false;

  /* ---- small things ---- */
  function make(tag, text, className) {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (className) element.className = className;
    return element;
  }
  function draw(tag, attributes, parent) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (parent) parent.append(element);
    return element;
  }
  /* a sentence with keys in square brackets */
  function withKeys(element, text) {
    element.replaceChildren(...text.split(/\[(.+?)\]/).map((part, i) => (i % 2 ? make("kbd", part) : part)));
  }
  function clock(seconds, digits) {
    const scale = 10 ** digits;
    const total = Math.round(Math.max(0, seconds) * scale) / scale;
    const minutes = Math.floor(total / 60) % 60;
    const hours = Math.floor(total / 3600);
    const rest = (total % 60).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
    return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
  }
  const percent = (share) => `${Math.round(100 * share)}\u00a0%`;
  const styleOf = (label) => state.classes.find((style) => style.name === label) || null;
  const current = () => marks.find((mark) => mark.id === chosen) || null;
  const isAlike = (mark, other) => other.status === "proposed" && labelOf(other) === labelOf(mark);
  const alike = (mark) => (mark && labelOf(mark) !== null ? marks.filter((other) => isAlike(mark, other)).length : 0);
  const labelOf = (mark) => mark.label ?? mark.proposed_label;
  const numberOf = (mark) => marks.indexOf(mark) + 1;
  function describe(mark) {
    return `Stroke ${numberOf(mark)}, ${labelOf(mark) ?? "no class yet"}, ${mark.player}, ${clock(mark.start_s, 1)}, ${WORDS[mark.status]}`;
  }
  function say(text, isWrong = false) {
    $("said").classList.toggle("wrong", isWrong);
    $("said").textContent = text;
  }
  function swatch(style) {
    const picture = draw("svg", { class: "swatch", "aria-hidden": "true", viewBox: "0 0 24 18" });
    draw("rect", { x: 0.5, y: 0.5, width: 23, height: 17, rx: 3, fill: style.colour, class: "edge" }, picture);
    draw("text", { x: 12, y: 13, "text-anchor": "middle", fill: style.ink }, picture).textContent = style.code;
    return picture;
  }

  /* ---- the server: one request after the other, so that fast keys change one mark after the other ---- */
  let queue = Promise.resolve();
  const inTurn = (work) => { queue = queue.then(work).catch((error) => { setTimeout(() => { throw error; }); }); return queue; };
  async function ask(path, content) {
    try {
      const answer = await fetch(path, content === undefined ? {} : {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(content) });
      const run = answer.headers.get("Run");
      if (run && run !== data.run) { location.reload(); return null; } /* another start of the server */
      if (isGone) { isGone = false; $("gone").hidden = true; say("The server is back."); }
      return answer;
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      isGone = true;
      $("gone").hidden = false;
      $("gone").textContent = "The server does not answer. Start tt-actions label again with the same videos; this page then goes on by itself. "
        + "All marks that the page shows are saved.";
      return null;
    }
  }
  const lessons = () => (state ? state.learning.history.length : 0);
  async function send(action) {
    const answer = await ask("/apply", { video: number, revision: state.revision, action });
    if (!answer) { say("Not saved: the server does not answer.", true); return false; }
    const content = await answer.json().catch(() => ({ message: `The server answered ${answer.status}.` }));
    if (answer.ok) { adopt(content); return true; }
    if (answer.status === 409) {
      const trained = lessons();
      await refresh();
      const reason = lessons() > trained ? "A training has just named the strokes anew." : "Another window has changed this video.";
      say(`${reason} This is shown now, and your change was not made. Look, and repeat it if it still fits.`, true);
    } else {
      await refresh(); /* the mark may be saved even if the manifest is not */
      say(content.message || `The server answered ${answer.status}.`, true);
    }
    return false;
  }
  async function refresh() {
    const wanted = number;
    const answer = await ask(`/state/${wanted}?known=${state ? state.version : ""}`);
    if (!answer || answer.status !== 200 || wanted !== number) return false;
    adopt(await answer.json());
    return true;
  }
  function adopt(fresh) {
    state = fresh;
    marks = [...state.marks].sort((a, b) => a.start_s - b.start_s || a.player.localeCompare(b.player));
    keys = new Map(marks.map((mark) => [mark.id, JSON.stringify(mark)]));
    if (!current()) chosen = null;
    render();
  }
  async function poll() {
    await inTurn(async () => {
      if (!state) return;
      const [seen, trained] = [keys, lessons()];
      if (!(await refresh())) return;
      if (lessons() > trained) { if (!isTraining) say("A training in another window has named the strokes anew."); return; }
      const changed = marks.filter((mark) => seen.get(mark.id) !== keys.get(mark.id)).length
        + [...seen.keys()].filter((id) => !keys.has(id)).length;
      if (changed) say(`Another window has changed ${changed === 1 ? "1 stroke" : `${changed} strokes`}; shown now.`);
    });
    setTimeout(poll, POLL);
  }

  /* ---- a video that the browser can't play ---- */
  video.addEventListener("error", () => {
    if (!video.getAttribute("src") || isGone || video.error?.code === MediaError.MEDIA_ERR_NETWORK) return;
    if (video.src.includes("converted")) cannotPlay("Convert it to MP4 (H.264) and label that file.");
    else convert(number);
  });
  function cannotPlay(text) {
    $("unplayable").hidden = false;
    $("unplayable").textContent = `This browser can't play the video. ${text}`;
  }
  async function convert(wanted) {
    let progress = await ask("/convert", { video: wanted });
    while (progress && wanted === number) {
      const { is_done, share, message } = await progress.json();
      if (message) { cannotPlay(message); return; }
      if (is_done) { $("unplayable").hidden = true; video.src = `/video/${wanted}?converted`; return; }
      cannotPlay(`It is being converted, once: ${percent(share)}. You can mark strokes by their times until then.`);
      await new Promise((done) => { setTimeout(done, 700); });
      progress = await ask(`/conversion/${wanted}`);
    }
  }

  /* ---- choosing a stroke ---- */
  const isByTime = () => $("order").value === "time";
  const proposals = () => (isByTime() ? marks.filter((mark) => mark.status === "proposed").map((mark) => mark.id) : state.order);
  function choose(id) {
    chosen = id;
    const mark = current();
    if (!mark) { render(); return; }
    const at = proposals().indexOf(id);
    if (at >= 0) place = at;
    edge = mark.contact_s === null ? "start_s" : "contact_s";
    if ($("loop").checked) film.replay();
    else { video.pause(); film.seek(mark.contact_s ?? mark.start_s); }
    location.replace(`#${new URLSearchParams({ video: number, mark: id })}`);
    timeline.reveal(mark.start_s, mark.end_s);
    render();
    showRow();
  }
  function showRow() {
    const box = $("rows");
    const row = box.querySelector(".chosen");
    if (!row) return;
    const top = row.offsetTop - $("table").tHead.offsetHeight;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (row.offsetTop + row.offsetHeight > box.scrollTop + box.clientHeight) box.scrollTop = row.offsetTop + row.offsetHeight - box.clientHeight;
  }
  function step(by) {
    const list = proposals();
    if (!list.length) { say(marks.length ? "All strokes of this video are checked." : "There are no strokes yet. Press A at a contact to add one."); return; }
    const at = list.indexOf(chosen);
    if (at >= 0) place = at + by;
    else if (isByTime() && current()) {
      const later = list.findIndex((id) => marks.findIndex((mark) => mark.id === id) > marks.indexOf(current()));
      place = later < 0 ? list.length : later;
      if (by < 0) place -= 1;
    } else if (by < 0) place -= 1;
    choose(list[(place + list.length) % list.length]);
  }
  /* after a decision the next proposal takes the place of the one that is gone */
  function goOn() {
    const list = proposals();
    if (list.length) {
      if (isByTime()) step(1);
      else choose(list[Math.min(place, list.length - 1)]);
      return;
    }
    video.pause();
    render();
  }
  function neighbour(by) {
    if (!marks.length) return;
    const at = chosen === null ? -1 : marks.indexOf(current());
    choose(marks[Math.max(0, Math.min(marks.length - 1, at + by))].id);
  }

  /* ---- changing a stroke ---- */
  const act = (work) => inTurn(async () => { if (state) await work(); }); /* not while another video opens */
  const onMark = (work) => () => act(async () => {
    const mark = current();
    if (!mark) say("Select a stroke first: press N, or click on one in the timeline.", true);
    else await work(mark);
  });
  async function name(mark, label) {
    const isNew = mark.status !== "accepted";
    const action = isNew ? { kind: "accept", mark: mark.id, label } : { kind: "label", mark: mark.id, label };
    const text = describe(mark).split(",")[0];
    if (!(await send(action))) return;
    if (isNew) goOn();
    say(`${text} is ${label}. ${left()}`);
  }
  function left() {
    const count = state.order.length;
    return count ? `${count} to check.` : "All strokes of this video are checked.";
  }
  async function nameGroup(mark, label) {
    const group = labelOf(mark);
    const count = alike(mark);
    if (!(await send({ kind: "group", group, label }))) return;
    say(`${count} strokes that were called ${group} are called ${label}. Press Enter on each that is right.`);
  }
  const nameNumber = (digit) => {
    const style = state.classes[digit - 1];
    if (!style) say(`There is no class ${digit} yet. Press C and type its name.`, true);
    else onMark((mark) => name(mark, style.name))();
  };
  function typeName() {
    if (alike(current()) > 1) $("all-alike").checked = true;
    $("class-name").focus();
  }
  const accept = onMark(async (mark) => {
    const label = labelOf(mark);
    if (label === null) { $("class-name").focus(); say("This stroke has no class yet. Press a number, or type a name."); return; }
    if (mark.status === "accepted") { step(1); return; }
    if (!styleOf(label)) { typeName(); say(`${label} only says which strokes look alike. Type what they are, and press Enter.`); return; }
    await name(mark, label);
  });
  const reject = onMark(async (mark) => {
    const text = describe(mark).split(",")[0];
    if (!(await send({ kind: "reject", mark: mark.id }))) return;
    goOn();
    say(`${text} is no stroke. ${left()}`);
  });
  async function move(mark, times, text) {
    if (await send({ kind: "move", mark: mark.id, ...times })) say(text);
  }
  function moved(mark, which, time) {
    const times = { [which]: time };
    const next = { ...mark, ...times };
    const isOutside = next.contact_s !== null && (next.contact_s < next.start_s || next.contact_s > next.end_s);
    if (isOutside && which !== "contact_s") times.contact_s = null;
    return times;
  }
  const setEdge = (which, time) => onMark(async (mark) => {
    edge = which;
    const at = Number(film.clamp(time ?? film.now()).toFixed(4));
    await move(mark, moved(mark, which, at), `${EDGES[which]} is ${clock(at, 2)}.`);
  })();
  const nudge = (by, which) => onMark(async (mark) => {
    if (which) edge = which;
    if (mark[edge] === null) { say(`${EDGES[edge]} is not set. Press W where the racket meets the ball.`, true); return; }
    const at = Number(film.snap(mark[edge] + by / state.fps).toFixed(4));
    video.pause();
    film.seek(at);
    await move(mark, moved(mark, edge, at), `${EDGES[edge]} is ${clock(at, 2)}.`);
  })();
  const gotoEdge = (which) => {
    const mark = current();
    if (!mark) return;
    edge = which;
    if (mark[which] === null) say("The contact is not set. Press W where the racket meets the ball.");
    else { video.pause(); film.seek(mark[which]); say(`${EDGES[which]}, ${clock(mark[which], 2)}. Keys + and − move it.`); }
    render();
  };
  const split = onMark(async (mark) => { if (await send({ kind: "split", mark: mark.id, time_s: Number(film.now().toFixed(4)) })) say("Split in two."); });
  const merge = onMark(async (mark) => {
    const other = marks.find((next) => next.player === mark.player && next.status !== "rejected" && next.id !== mark.id && next.start_s >= mark.start_s);
    if (!other) { say(`${mark.player} has no later stroke to merge with.`, true); return; }
    if (await send({ kind: "merge", mark: mark.id, other: other.id })) { timeline.reveal(current().start_s, current().end_s); say("Merged with the next stroke."); }
  });
  const add = () => act(async () => {
    const time = film.snap(film.now());
    const player = current()?.player ?? ($("player").value || state.players[0]);
    const known = keys;
    const [start_s, end_s] = [film.clamp(time - NEW), film.clamp(time + NEW)];
    if (!(await send({ kind: "add", player, start_s, contact_s: time, end_s }))) return;
    video.pause();
    chosen = marks.find((mark) => !known.has(mark.id))?.id ?? null;
    edge = "contact_s";
    place = Math.max(0, proposals().indexOf(chosen));
    render();
    say(`Added a stroke of ${player} at ${clock(time, 2)}. Press its number.`);
  });
  const setPlayer = (player) => onMark(async (mark) => { if (await send({ kind: "player", mark: mark.id, player })) say(`Played by ${player}.`); })();
  const setHand = (hand) => onMark(async (mark) => { if (await send({ kind: "hand", mark: mark.id, hand: hand || null })) say(`Hand: ${hand || "not given"}.`); })();
  const nextOf = (values, value) => values[(values.indexOf(value) + 1) % values.length];
  const again = (kind, word) => () => act(async () => {
    if (kind === "undo" ? !state.can_undo : !state.can_redo) { say(`There is nothing to ${kind}.`); return; }
    const seen = keys;
    if (!(await send({ kind }))) return;
    const changed = marks.find((mark) => seen.get(mark.id) !== keys.get(mark.id));
    if (changed) choose(changed.id);
    say(`${word}.${changed ? ` ${describe(changed)}.` : ""}`);
  });
  async function train() {
    if (isTraining) return;
    isTraining = true;
    renderLearning();
    say("Training on your marks …");
    const answer = await ask("/train", {});
    isTraining = false;
    const content = answer ? await answer.json().catch(() => ({})) : {};
    if (answer && answer.ok) {
      await inTurn(async () => { await refresh(); place = 0; });
      say(content.message ? `Trained. ${content.message}` : "Trained.");
    } else if (answer) say(content.message || `The server answered ${answer.status}.`, true);
    renderLearning();
  }

  /* ---- what the page shows ---- */
  function render() {
    renderHeader();
    renderCard();
    renderLearning();
    renderRows();
    timeline.redraw();
    film.tell();
  }
  function renderHeader() {
    const total = marks.length;
    const checked = total - state.order.length;
    $("done").textContent = `${checked} of ${total} checked`;
    $("bar").value = total ? checked / total : 0;
    $("saved").textContent = `Saved in ${data.marks.split(/[\\/]/).pop()}`;
    $("saved").title = data.marks;
    withKeys($("task"), taskText());
  }
  function taskText() {
    if (!marks.length) return "Play the video [Space]. When the racket meets the ball, press [A] to add the stroke. [?] lists all keys.";
    if (!state.order.length) {
      const next = number + 1 < data.videos.length ? "[PageDown] opens the next video." : "End with Ctrl-C in the terminal; it prints how to train a model.";
      return `All strokes of this video are checked. ${next} To look again, click on a stroke; [A] adds one that is missing.`;
    }
    if (!state.classes.length) {
      const many = alike(current()) > 1 ? " [G] instead of [C] names all that look like it." : "";
      return `Watch the stroke, press [C], type what it is, and press [Enter]: the next one appears. [X] if it is no stroke.${many} [?] lists all keys.`;
    }
    return "Watch the stroke and press its number, or [Enter] if the name is right: the next one appears. [X] if it is no stroke, [C] for another name. [?] lists all keys.";
  }
  function renderCard() {
    const mark = current();
    const whose = mark && state.players.length > 1 ? `, ${mark.player}` : "";
    $("which").textContent = mark ? `Stroke ${numberOf(mark)} of ${marks.length}${whose}` : "No stroke selected";
    $("status").hidden = !mark;
    if (mark) {
      const sure = mark.status === "proposed" && mark.confidence !== null ? ` ${percent(mark.confidence)}` : "";
      $("status").textContent = WORDS[mark.status] + sure;
      $("status").className = `chip ${mark.status}`;
    }
    renderClasses(mark);
    const isOneOfMany = Boolean(mark) && mark.status === "proposed" && alike(mark) > 1;
    $("alike").hidden = !isOneOfMany;
    if (isOneOfMany) $("alike-word").textContent = `all ${alike(mark)} that are called ${labelOf(mark)}`;
    else $("all-alike").checked = false;
    $("accept-word").textContent = mark && labelOf(mark) !== null ? (mark.status === "accepted" ? "Next" : styleOf(labelOf(mark)) ? `Yes: ${labelOf(mark)}` : "Name") : "Accept";
    for (const id of ["accept", "reject", "split", "merge"]) $(id).disabled = !mark;
    document.querySelectorAll(".times tr").forEach((row) => {
      const time = mark ? mark[row.dataset.edge] : null;
      row.querySelector(".value").textContent = time === null ? "–" : clock(time, 2);
      row.classList.toggle("active", Boolean(mark) && row.dataset.edge === edge);
      row.querySelectorAll("button").forEach((button) => { button.disabled = !mark; });
    });
    const before = $("player").value;
    const player = mark ? mark.player : state.players.includes(before) ? before : state.players[0];
    fill($("player"), state.players.map((name) => [name, name]), player);
    $("hand").value = mark?.hand ?? "";
    $("hand").disabled = !mark;
    $("undo").disabled = !state.can_undo;
    $("redo").disabled = !state.can_redo;
    $("next").disabled = $("previous").disabled = !state.order.length;
    const scroller = $("scroller");
    scroller.setAttribute("aria-valuemax", marks.length);
    scroller.setAttribute("aria-valuenow", mark ? numberOf(mark) : 0);
    scroller.setAttribute("aria-valuetext", mark ? describe(mark) : "no stroke selected");
  }
  function fill(select, options, value) {
    if (select.options.length !== options.length || options.some(([key], i) => select.options[i].value !== key)) {
      select.replaceChildren(...options.map(([key, text]) => new Option(text, key)));
    }
    select.value = value;
  }
  function renderClasses(mark) {
    const buttons = state.classes.map((style, i) => {
      const button = make("button");
      button.type = "button";
      button.title = style.name;
      const label = make("span", undefined, "name");
      label.append(...style.name.split(/(?<=[_ -])/).flatMap((part) => [part, make("wbr")]));
      button.append(swatch(style), label);
      if (i < 9) { button.append(make("kbd", String(i + 1))); button.setAttribute("aria-keyshortcuts", String(i + 1)); }
      button.setAttribute("aria-pressed", String(Boolean(mark) && mark.label === style.name));
      button.classList.toggle("proposed", Boolean(mark) && mark.label === null && mark.proposed_label === style.name);
      button.disabled = !mark;
      return button;
    });
    const focused = [...$("classes").children].indexOf(document.activeElement);
    $("classes").replaceChildren(...buttons);
    if (focused >= 0) buttons[focused]?.focus();
    fill($("class-names"), state.classes.map((style) => [style.name, style.name]), "");
  }
  const renderLearning = () => learning.show(state.learning, isTraining);
  const rows = new Map(); /* by id: what a row shows, and the row */
  let listed = []; /* the rows in the table; only those that differ are changed, for a match has thousands */
  let highlighted = null;
  function renderRows() {
    const wanted = $("shown").value;
    const elements = [];
    for (const mark of marks) {
      if (wanted && mark.status !== wanted && mark.id !== chosen) continue;
      const key = keys.get(mark.id);
      let own = rows.get(mark.id);
      if (!own || own.key !== key) { own = { key, row: makeRow(mark) }; rows.set(mark.id, own); }
      elements.push(own.row);
    }
    let isNew = elements.length !== listed.length;
    elements.forEach((row, i) => {
      if (isNew || row === listed[i]) return;
      if (row.parentNode) isNew = true; /* another order */
      else listed[i].replaceWith(row);
    });
    if (isNew) $("table").tBodies[0].replaceChildren(...elements);
    listed = elements;
    highlight(rows.get(chosen)?.row ?? null);
  }
  function highlight(row) {
    for (const [one, isOn] of [[highlighted, false], [row, true]]) {
      if (!one) continue;
      one.classList.toggle("chosen", isOn);
      one.querySelector("button").setAttribute("aria-current", String(isOn));
    }
    highlighted = row;
  }
  function makeRow(mark) {
    const row = make("tr", undefined, mark.status);
    row.dataset.id = mark.id;
    const start = make("td");
    const button = make("button", clock(mark.start_s, 2));
    button.type = "button";
    start.append(button);
    const label = labelOf(mark);
    row.append(start, make("td", label === null ? "–" : `${label}${mark.status === "proposed" && mark.label === null ? "?" : ""}`), make("td", mark.player), make("td", WORDS[mark.status]));
    return row;
  }

  /* ---- the parts ---- */
  const learning = makeLearning({ make, draw, percent, styleOf });
  const film = makePlayer({
    video,
    state: () => state,
    stroke: current,
    isLooping: () => $("loop").checked,
    say,
    clock,
    onTime: (isPaused) => {
      if (!isPaused) timeline.follow(video.currentTime);
      timeline.redraw();
      skeleton.draw(film.now());
    },
  });
  const timeline = makeTimeline({
    isReady: () => state !== null,
    duration: () => state.duration_s,
    players: () => (state ? state.players : []),
    marks: () => marks,
    styleOf,
    current,
    edge: () => edge,
    now: film.now,
    clock,
    describe,
    choose,
    seek: film.seek,
    snap: film.snap,
    show: (time) => { video.pause(); film.show(time); },
    move: (which, time) => setEdge(which, time),
  });
  const skeleton = makeSkeleton({ video, canvas: $("skeleton"), lines: data.lines, isOn: () => $("joints").checked && data.videos[number].joints });
  const open = (wanted, mark) => inTurn(async () => {
    number = Math.max(0, Math.min(data.videos.length - 1, wanted));
    const own = data.videos[number];
    state = null;
    chosen = null;
    place = 0;
    film.restart();
    say("");
    rows.clear();
    if (!(await refresh())) { setTimeout(() => open(number, mark), POLL); return; }
    document.title = `${own.name}: label strokes`;
    $("name").textContent = own.name;
    $("videos").value = number;
    $("bones").hidden = !own.joints;
    $("unplayable").hidden = true;
    skeleton.restart(number, own);
    video.pause();
    video.removeAttribute("src");
    if (own.plays) video.src = `/video/${number}`;
    else convert(number);
    timeline.restart();
    const first = marks.some((other) => other.id === mark) ? mark : proposals()[0];
    if (first !== undefined) choose(first);
  });

  /* ---- keys: the help is made from the same list ---- */
  const KEYS = [
    ["Decide", [
      [["1–9"], "the stroke is of this class; go on"],
      [["Enter"], "accept the proposed class; go on", ["enter"], accept],
      [["X"], "it is no stroke; go on", ["x", "delete", "backspace"], reject],
      [["C"], "type another class name", ["c"], () => $("class-name").focus()],
      [["G"], "type another name for all strokes to check that are called like this one", ["g"], typeName],
      [["Z"], "undo", ["z"], again("undo", "Undone")],
      [["Y"], "redo", ["y"], again("redo", "Done again")],
    ]],
    ["Find", [
      [["N"], "next stroke to check", ["n"], () => step(1)],
      [["P"], "previous stroke to check", ["p"], () => step(-1)],
      [["O"], "order: uncertain first, or by time", ["o"], () => { $("order").value = isByTime() ? "unsure" : "time"; place = 0; say(`Order: ${isByTime() ? "by time" : "uncertain first"}.`); }],
      [["↓"], "next stroke of all, by time", ["arrowdown"], () => neighbour(1)],
      [["↑"], "previous stroke of all", ["arrowup"], () => neighbour(-1)],
      [["PageDown"], "next video", ["pagedown"], () => { if (number + 1 < data.videos.length) open(number + 1); }],
      [["PageUp"], "previous video", ["pageup"], () => { if (number) open(number - 1); }],
    ]],
    ["Watch", [
      [["Space"], "play or pause", [" "], film.toggle],
      [["→"], "one frame forward", ["arrowright"], () => film.frame(1)],
      [["←"], "one frame back", ["arrowleft"], () => film.frame(-1)],
      [["Shift →"], "one second forward", ["shift+arrowright"], () => film.seek(film.now() + 1)],
      [["Shift ←"], "one second back", ["shift+arrowleft"], () => film.seek(film.now() - 1)],
      [["R"], "play this stroke again", ["r"], film.replay],
      [["L"], "loop on or off", ["l"], () => { $("loop").checked = !$("loop").checked; say(`Loop ${$("loop").checked ? "on" : "off"}.`); }],
      [["<", ">"], "slower, faster", null, null],
      [["J"], "skeleton on or off", ["j"], () => { if (data.videos[number].joints) { $("joints").checked = !$("joints").checked; skeleton.draw(); } else say("There are no joints of this video."); }],
    ]],
    ["Correct", [
      [["Q"], "the stroke starts now", ["q"], () => setEdge("start_s")],
      [["W"], "the racket meets the ball now", ["w"], () => setEdge("contact_s")],
      [["E"], "the stroke ends now", ["e"], () => setEdge("end_s")],
      [["Shift Q W E"], "show start, contact, end", null, null],
      [["−", "+"], "move what was shown or set last by a frame", null, null],
      [["A"], "add a stroke with its contact now", ["a"], add],
      [["S"], "split here", ["s"], split],
      [["M"], "merge with the player's next stroke", ["m"], merge],
      [["V"], "another player", ["v"], () => setPlayer(nextOf(state.players, current()?.player))],
      [["H"], "hand: right, left, not given", ["h"], () => setHand(nextOf(["", "right", "left"], current()?.hand ?? ""))],
    ]],
    ["More", [
      [["T"], "train on your marks", ["t"], train],
      [["?"], "this list", ["?", "f1"], () => $("keys").showModal()],
    ]],
  ];
  const actions = new Map(KEYS.flatMap(([, list]) => list).flatMap(([, , keys, work]) => (keys ?? []).map((key) => [key, work])));
  for (const [key, work] of [["shift+q", () => gotoEdge("start_s")], ["shift+w", () => gotoEdge("contact_s")], ["shift+e", () => gotoEdge("end_s")],
    ["-", () => nudge(-1)], ["−", () => nudge(-1)], ["[", () => nudge(-1)], ["+", () => nudge(1)], ["=", () => nudge(1)], ["]", () => nudge(1)],
    ["<", () => film.rate(-1)], [">", () => film.rate(1)]]) actions.set(key, work);
  $("key-list").append(...KEYS.map(([title, list]) => {
    const part = make("div");
    const pairs = make("dl");
    for (const [keys, text] of list) {
      const term = make("dt");
      keys.forEach((key, i) => term.append(i ? " " : "", make("kbd", key)));
      pairs.append(term, make("dd", text));
    }
    part.append(make("h3", title), pairs);
    return part;
  }));
  function actionOf(event) {
    const key = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey) {
      if (event.altKey || (key !== "z" && key !== "y")) return null;
      return actions.get(key === "y" || event.shiftKey ? "y" : "z");
    }
    if (event.altKey && !event.getModifierState("AltGraph")) return null;
    const digit = /^[1-9]$/.test(key) ? key : !event.shiftKey && /^Digit[1-9]$/.test(event.code) ? event.code.at(-1) : null;
    if (digit) return () => nameNumber(Number(digit));
    return (event.shiftKey && actions.get(`shift+${key}`)) || actions.get(key);
  }
  document.addEventListener("keydown", (event) => {
    if ($("keys").open || !state || event.isComposing) return;
    const on = event.target;
    if (on.closest("input:not([type=checkbox]), select")) {
      if (event.key === "Escape") on.blur();
      return;
    }
    const isPressed = (event.key === " " || event.key === "Enter") && on.closest("button, input, label");
    const action = isPressed ? null : actionOf(event);
    if (!action) return;
    event.preventDefault();
    if (event.repeat && !["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "+", "-", "[", "]", "="].includes(event.key)) return;
    action();
  });
  /* a button that was clicked with the mouse would take Space and Enter for itself */
  document.addEventListener("click", (event) => { if (event.detail) event.target.closest("button, input[type=checkbox]")?.blur(); });
  document.addEventListener("change", (event) => { if (event.target.matches("select")) event.target.blur(); });

  /* ---- buttons ---- */
  for (const [id, work] of Object.entries({
    play: film.toggle, back: () => film.frame(-1), forward: () => film.frame(1), accept, reject, next: () => step(1), previous: () => step(-1),
    add, split, merge, undo: again("undo", "Undone"), redo: again("redo", "Done again"), train, help: () => $("keys").showModal(),
  })) $(id).addEventListener("click", () => { if (state) work(); });
  $("classes").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) onMark((mark) => name(mark, button.title))();
  });
  $("new-class").addEventListener("submit", (event) => {
    event.preventDefault();
    const label = $("class-name").value.trim();
    if (!label) return;
    const isGroup = $("all-alike").checked;
    $("class-name").value = "";
    $("class-name").blur();
    $("all-alike").checked = false;
    onMark((mark) => (isGroup ? nameGroup(mark, label) : name(mark, label)))();
  });
  document.querySelectorAll(".times tr").forEach((row) => {
    const which = row.dataset.edge;
    row.querySelector(".goto").addEventListener("click", () => gotoEdge(which));
    row.querySelector(".earlier").addEventListener("click", () => nudge(-1, which));
    row.querySelector(".later").addEventListener("click", () => nudge(1, which));
    row.querySelector(".here").addEventListener("click", () => setEdge(which));
  });
  $("table").tBodies[0].addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (row && state) choose(marks.find((mark) => String(mark.id) === row.dataset.id).id);
  });
  $("player").addEventListener("change", () => { if (current()) setPlayer($("player").value); });
  $("hand").addEventListener("change", () => setHand($("hand").value));
  $("shown").addEventListener("change", renderRows);
  $("order").addEventListener("change", () => { place = 0; });
  $("joints").addEventListener("change", () => skeleton.draw());
  $("sound").addEventListener("change", () => { video.muted = !$("sound").checked; });
  $("videos").addEventListener("change", () => open(Number($("videos").value)));

  /* ---- the start ---- */
  video.muted = true;
  $("loop").checked = !matchMedia("(prefers-reduced-motion: reduce)").matches;
  $("choice").hidden = data.videos.length < 2;
  $("name").classList.toggle("hidden", data.videos.length > 1);
  $("videos").append(...data.videos.map((own, i) => new Option(`${i + 1}. ${own.name}`, i)));
  const asked = new URLSearchParams(location.hash.slice(1));
  open(Number(asked.get("video") ?? data.first ?? 0), asked.has("mark") ? Number(asked.get("mark")) : undefined);
  setTimeout(poll, POLL);
})();
