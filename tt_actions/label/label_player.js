/* Playing: frame by frame, and the selected stroke in a loop. */
function makePlayer({ video, state, stroke, isLooping, say, clock, onTime }) {
  const $ = (id) => document.getElementById(id);
  const BEFORE = 0.25; /* seconds around a stroke that the loop plays too */
  const AFTER = 0.15;
  let aim = null; /* where the video is being sent */
  let shown = null; /* time of the frame on the screen */
  let before = 0; /* time of the last tick, for the loop */

  const clamp = (time) => Math.max(0, Math.min(state().duration_s, time));
  const snap = (time) => clamp(Math.round(time * state().fps) / state().fps);
  function now() {
    if (aim !== null) return aim;
    const isFresh = shown !== null && Math.abs(shown - video.currentTime) < 1.5 / state().fps;
    return video.paused && isFresh ? shown : video.currentTime;
  }
  function tell() {
    if (!state()) return;
    $("clock").textContent = `${clock(now(), 2)} / ${clock(state().duration_s, 2)}`;
    onTime(video.paused);
  }
  /* half a frame later than the frame begins, so that no rounding shows the one before */
  function show(time) {
    aim = clamp(time);
    video.currentTime = Math.min(aim + 0.5 / state().fps, Math.max(0, state().duration_s - 0.001));
    tell();
  }
  function seek(time) {
    before = time;
    show(snap(time));
  }
  function watchFrames(_, frame) {
    shown = frame.mediaTime;
    if (!video.seeking) aim = null; /* until its frame is shown, the video is where it was sent */
    tell();
    video.requestVideoFrameCallback(watchFrames);
  }
  function tick() {
    const time = video.currentTime;
    const own = stroke();
    if (own && isLooping() && !video.seeking) {
      const end = Math.min(own.end_s + AFTER, state().duration_s - 0.02);
      if (before < end && before >= own.start_s - 2 * BEFORE && time >= end) video.currentTime = Math.max(0, own.start_s - BEFORE);
    }
    before = video.currentTime;
    if (!video.paused) requestAnimationFrame(tick);
    tell();
  }
  function play() {
    video.play().catch(() => { if ($("unplayable").hidden) say("The browser did not start the video. Press Space again."); });
  }
  function replay() {
    if (!stroke()) return;
    seek(stroke().start_s - BEFORE);
    play();
  }
  function frame(by) {
    video.pause();
    seek(now() + by / state().fps);
  }
  function rate(by) {
    const speed = $("speed");
    speed.selectedIndex = Math.max(0, Math.min(speed.options.length - 1, speed.selectedIndex + by));
    video.playbackRate = Number(speed.value);
    say(`Speed ${speed.options[speed.selectedIndex].text}.`);
  }
  video.addEventListener("seeked", () => { before = video.currentTime; tell(); });
  video.addEventListener("play", () => { $("play-word").textContent = "Pause"; aim = null; before = video.currentTime; tick(); });
  video.addEventListener("pause", () => { $("play-word").textContent = "Play"; });
  $("speed").addEventListener("change", () => { video.playbackRate = Number($("speed").value); });
  if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(watchFrames);

  return {
    now, snap, clamp, show, seek, replay, frame, rate, tell,
    toggle: () => { if (video.paused) play(); else video.pause(); },
    restart: () => { aim = shown = null; $("play-word").textContent = "Play"; },
  };
}
