/* The skeletons on the video, fetched in pieces of ten seconds. */
function makeSkeleton({ video, canvas, lines, isOn }) {
  const PIECE = 10;
  const NEAR = 0.1; /* seconds; farther from an image, nothing is drawn */
  const COLOURS = { left: "#56b4e9", right: "#e69f00", trunk: "#fff" };
  let pieces = new Map();
  let number = 0;
  let size = { width: 1, height: 1 };

  function fetchPiece(index) {
    const own = { times: [], players: [] };
    pieces.set(index, own);
    const asked = pieces;
    fetch(`/joints/${number}?start=${index * PIECE}&end=${(index + 1) * PIECE}`)
      .then((answer) => (answer.ok ? answer.json() : null))
      .then((found) => { if (found) { Object.assign(own, found); draw(); } })
      .catch(() => asked.delete(index)); /* the page says that the server is gone, and it is asked again */
  }
  function nearest(times, time) {
    let best = -1;
    times.forEach((at, i) => { if (Math.abs(at - time) < (best < 0 ? NEAR : Math.abs(times[best] - time))) best = i; });
    return best;
  }
  let isClear = true;
  function draw(time = video.currentTime) {
    if (isClear && !isOn()) return;
    const box = canvas.getBoundingClientRect();
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(box.width * ratio);
    canvas.height = Math.round(box.height * ratio);
    isClear = !isOn();
    if (isClear) return;
    const index = Math.floor(time / PIECE);
    for (const wanted of [index, index + 1]) if (!pieces.has(wanted)) fetchPiece(wanted);
    const { times, players } = pieces.get(index);
    const image = nearest(times, time);
    if (image < 0) return;
    const scale = Math.min(box.width / size.width, box.height / size.height);
    const [left, top] = [(box.width - scale * size.width) / 2, (box.height - scale * size.height) / 2];
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.lineCap = "round";
    for (const bodies of players) {
      const body = bodies[image];
      if (!body) continue;
      const place = (i) => [left + scale * body[i][0], top + scale * body[i][1]];
      for (const [width, colours] of [[5, { left: "#000", right: "#000", trunk: "#000" }], [3, COLOURS]]) {
        pen.lineWidth = width;
        for (const [from, to, side] of lines) {
          if (!body[from] || !body[to]) continue; /* a pose model of one's own knows fewer joints */
          pen.strokeStyle = colours[side];
          pen.beginPath();
          pen.moveTo(...place(from));
          pen.lineTo(...place(to));
          pen.stroke();
        }
      }
    }
  }
  new ResizeObserver(() => draw()).observe(canvas);
  return { draw, restart(index, { width, height }) { pieces = new Map(); number = index; size = { width, height }; } };
}
