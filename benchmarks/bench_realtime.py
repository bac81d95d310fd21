"""Measure the time to analyse a match compared with decoding only, and the delay of each stroke (figure 4).

Run as ``python benchmarks/bench_realtime.py --checkpoint C [--quick]``, or ``make bench-realtime CKPT=C``.
The script generates a rally at 720p30 in the hall of ``rally_cnn_lstm`` and loops its packets to videos of 30
to 600 s. It measures each video several times. Decoding only and the analysis of one player take turns within
one process, so that other load on the machine slows both. Peak memory is measured in a separate process that
does nothing else. The feedback delay is measured on the file played in real time. The script writes
runs/bench/realtime.json and figure_4.png.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import av
import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from tt_actions.evaluation.provenance import provenance
from tt_actions.evaluation.published import PUBLISHED_TIMES
from tt_actions.evaluation.style import COLOURS, tidy, write_figure
from tt_actions.files import finite_or_none, write_json
from tt_actions.match.live.session import run_live
from tt_actions.match.live.source import LiveSource
from tt_actions.recognition.loading import load
from tt_actions.sources import SyntheticRallies
from tt_actions.video.decoder import open_decoder
from tt_actions.video.types import Roi


class Plan(NamedTuple):
    """The videos to measure: their lengths, those played in real time, and the length of the looped rally."""

    lengths_s: tuple[int, ...] = (30, 60, 120, 180, 600)
    paced_s: tuple[int, ...] = (30, 600)
    drawn_s: float = 30.0
    size: tuple[int, int] = (1280, 720)


QUICK = Plan((3, 6), (3,), 3.0, (320, 180))
"""A smoke test of a few seconds; ignore its numbers."""

CUT_S = 1.0
"""Strokes that end within this time of the video's end are reported only at its end, and don't count."""

MEMORY_SCRIPT = """
import json, sys, resource, tt_actions
tt_actions.load(sys.argv[1]).analyze(sys.argv[2], rois=[json.loads(sys.argv[3])])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def loop_video(path: Path, looped: Path, seconds: float) -> None:
    """Repeat the packets of a video until the copy is long enough."""
    with av.open(str(path)) as source, av.open(str(looped), "w") as container:
        given = source.streams.video[0]
        stream = container.add_stream_from_template(given)
        packets = [packet for packet in source.demux(given) if packet.dts is not None]
        step = max(packet.pts + packet.duration for packet in packets) - min(p.pts for p in packets)
        num_loops = int(np.ceil(seconds / float(step * given.time_base)))
        originals = [(packet.pts, packet.dts, bytes(packet), packet.is_keyframe) for packet in packets]
        for loop in range(num_loops):
            for pts, dts, data, is_keyframe in originals:
                if float((pts + loop * step) * given.time_base) >= seconds:
                    continue
                packet = av.Packet(data)
                packet.pts, packet.dts = pts + loop * step, dts + loop * step
                packet.time_base, packet.stream, packet.is_keyframe = given.time_base, stream, is_keyframe
                container.mux(packet)


def decode_s(path: Path) -> float:
    """Return the seconds for decoding a video."""
    start_s = time.perf_counter()
    with open_decoder(path) as decoder:
        for _ in decoder.frames():
            pass
    return time.perf_counter() - start_s


def analyze_s(model: Any, path: Path, roi: Roi) -> float:
    """Return the seconds for analysing a video, from opening it to the last stroke."""
    start_s = time.perf_counter()
    model.analyze(path, rois=[roi])
    return time.perf_counter() - start_s


def peak_memory_mb(checkpoint: Path, path: Path, roi: Roi) -> float:
    """Return the peak memory of a separate process that only analyses the video."""
    command = [sys.executable, "-c", MEMORY_SCRIPT, str(checkpoint), str(path), json.dumps(roi)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure_delays(model: Any, path: Path, roi: Roi) -> dict[str, float]:
    """Return the feedback delay of a file played in real time, for all strokes that its end does not cut."""
    result = run_live(model, LiveSource(str(path)), rois=[roi])
    last_end_s = result.analysis.duration_s - CUT_S
    delays = [live.delay_s for live in result.strokes if live.stroke.end_s < last_end_s]
    return {
        "num_strokes": len(delays),
        "strokes_a_minute": 60 * len(delays) / result.analysis.duration_s,
        "num_dropped": result.num_dropped,
        "delay_median_s": median(delays) if delays else float("nan"),
        "delay_p95_s": float(np.percentile(delays, 95)) if delays else float("nan"),
    }


def measure(checkpoint: Path, plan: Plan, repeats: int) -> Iterator[dict[str, Any]]:
    """Measure videos of the given lengths, and yield one row per video."""
    model = load(checkpoint)
    with TemporaryDirectory() as folder:
        drawn = Path(folder)
        source = SyntheticRallies(drawn, rallies=1, seconds=plan.drawn_s, seed=1, size=plan.size)
        source.prepare()
        record = source.records()[0]
        assert record.roi is not None
        for seconds in plan.lengths_s:
            path = drawn / f"match_{seconds}.mp4"
            loop_video(record.path, path, seconds)
            decoding, analysing = [], []
            for _ in range(repeats):
                decoding.append(decode_s(path))
                analysing.append(analyze_s(model, path, record.roi))
            ratios = [a / d for a, d in zip(analysing, decoding, strict=True)]
            row = {
                "seconds": seconds,
                "decoding_s": median(decoding),
                "processing_s": median(analysing),
                "ratio": median(ratios),
                "ratio_spread": [min(ratios), max(ratios)],
                "peak_memory_mb": peak_memory_mb(checkpoint, path, record.roi),
            }
            yield row | (measure_delays(model, path, record.roi) if seconds in plan.paced_s else {})


def figure_4(rows: list[dict[str, Any]]) -> Figure:
    """Draw processing time and feedback delay over the length of the video, with the published results."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    lengths = [row["seconds"] for row in rows]
    published = sorted(PUBLISHED_TIMES.items())
    left.plot(lengths, [row["processing_s"] for row in rows], "o-", color=COLOURS[0], label="measured")
    left.plot(lengths, [row["decoding_s"] for row in rows], "s:", color=COLOURS[2], label="decoding only")
    paced = [row for row in rows if "delay_p95_s" in row]
    for key, label, style in (("delay_median_s", "median", "o-"), ("delay_p95_s", "95 %", "^--")):
        right.plot(
            [r["seconds"] for r in paced], [r[key] for r in paced], style, color=COLOURS[0], label=label
        )
    for axes, place, title in ((left, 0, "processing time, s"), (right, 1, "feedback delay, s")):
        values = [times[place] for _, times in published]
        label = "published (GTX 1080 Ti)"
        axes.plot([s for s, _ in published], values, "D-", color=COLOURS[5], mfc="white", label=label)
        axes.set_title(title, loc="left", fontsize=11)
        axes.set_xlabel("length of the video, s")
        axes.legend(frameon=False, fontsize=9)
        tidy(axes)
        axes.set_ylim(bottom=0)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="short videos, each measured once")
    options = parser.parse_args()
    plan, repeats = (QUICK, 1) if options.quick else (Plan(), options.repeats)
    made_by = provenance(str(options.checkpoint), None, seconds=0.0, processor_seconds=0.0)
    rows = []
    for row in measure(options.checkpoint, plan, repeats):
        rows.append(row)
        print(json.dumps(row), flush=True)
        found = {
            "rows": [finite_or_none(row) for row in rows],
            "cores": os.cpu_count(),
            "provenance": made_by,
        }
        write_json(options.out / "realtime.json", found)
    write_figure(options.out / "figure_4.png", figure_4(rows))
    columns = {
        "seconds": "video s",
        "decoding_s": "decoding s",
        "processing_s": "processing s",
        "ratio": "ratio",
        "peak_memory_mb": "memory MB",
        "delay_median_s": "delay s",
        "delay_p95_s": "95 %",
    }
    table = Table(*columns.values())
    for row in rows:
        cells = [row.get(column, "") for column in columns]
        table.add_row(*(f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in cells))
    Console().print(table)


if __name__ == "__main__":
    main()
