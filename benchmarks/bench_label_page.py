"""Measure how fast the labelling page answers a person who marks strokes, in a real browser.

Run as ``python benchmarks/bench_label_page.py [--quick]``. A grey video gets a proposal
every two seconds. Chromium opens the page, and keys name one stroke after the other. The time of a key ends
when the page shows the next stroke; by then the decision is on the disk. It needs playwright and Chromium.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tt_actions.clips.strokes import Stroke
from tt_actions.label.joint_series import JointSeries
from tt_actions.label.page import LabelPage
from tt_actions.label.proposals import unmarked
from tt_actions.label.session import LabelSession
from tt_actions.recognition.analysis import MatchAnalysis
from tt_actions.video.encoder import write_video

CLASSES = ("serve", "forehand", "backhand", "smash")
ANSWER = """async (key) => {
  const title = document.getElementById("which");
  const before = title.textContent;
  const begun = performance.now();
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  while (title.textContent === before) await new Promise((done) => { setTimeout(done, 1); });
  return performance.now() - begun;
}"""


def make_match(folder: Path, num_strokes: int) -> MatchAnalysis:
    """Write a grey video, and propose strokes of two players in it.

    Args:
        folder: Folder for the video.
        num_strokes: Number of proposals.
    """
    frames = np.full((10 * (2 * num_strokes + 2), 32, 64, 3), 128, np.uint8)
    write_video(folder / "match.mp4", frames, fps=10)
    strokes = [
        Stroke("serve", 1 + 2 * i, 2 + 2 * i, 1.5 + 2 * i, 0.5, ("left", "right")[i % 2])
        for i in range(num_strokes)
    ]
    analysis = unmarked(folder / "match.mp4", ("left", "right"))
    return replace(analysis, class_names=CLASSES, strokes=tuple(strokes))


def measure(browser: Any, num_strokes: int, num_keys: int) -> dict[str, float]:
    """Measure one match.

    Args:
        browser: The browser.
        num_strokes: Number of proposals.
        num_keys: Number of strokes to name; fewer than the proposals.

    Returns:
        Seconds until the page shows the first stroke, and the median and the 95th percentile of the
        milliseconds from a key to the next stroke.
    """
    with tempfile.TemporaryDirectory() as folder:
        analysis = make_match(Path(folder), num_strokes)
        marks = Path(folder) / "marks.csv"
        session = LabelSession(marks, [analysis])
        page = LabelPage(session, [JointSeries(analysis)], marks, port=0)
        window = browser.new_page(viewport={"width": 1280, "height": 800})
        begun_s = time.perf_counter()
        window.goto(page.url)
        window.wait_for_selector("text=/^Stroke \\d+ of/")
        open_s = time.perf_counter() - begun_s
        window.wait_for_timeout(1000)
        times_ms = []
        for number in range(num_keys):
            times_ms.append(window.evaluate(ANSWER, str(1 + number % len(CLASSES))))
            window.wait_for_timeout(100)  # nobody types faster
        window.close()
        page.close()
        session.close()
    return {
        "open_s": round(open_s, 2),
        "key_ms": round(float(np.median(times_ms)), 1),
        "key_p95_ms": round(float(np.quantile(times_ms, 0.95)), 1),
    }


def main() -> None:
    """Measure matches of several lengths, and print a line of JSON for each."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a short match only")
    is_quick = parser.parse_args().quick
    with sync_playwright() as driver:
        path = shutil.which("chromium") or shutil.which("google-chrome")
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        for number in (8,) if is_quick else (50, 1500):
            figures = measure(browser, number, 4 if is_quick else 25)
            sys.stdout.write(json.dumps({"strokes": number, **figures}) + "\n")
        browser.close()


if __name__ == "__main__":
    main()
