"""Measure how well the coach finds known faults: precision and recall per fault and size, false findings.

Run as ``python benchmarks/measure_diagnosis.py --out DIR``. The reference strokes are faultless strokes of
some players. The judged strokes are from other players, who had no influence on the references or on any
limit. A hit is a finding of the kind that corresponds to the fault, as listed in :data:`HITS` before the
first measurement. Every other finding in a faulty stroke counts as false, even a true consequence of the
fault. The sizes of the faults were chosen with other seeds.
"""

import argparse
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console

from tt_actions.coach.diagnosis import Coach, Finding
from tt_actions.coach.references import make_references
from tt_actions.coach.stroke import StrokeMotion, read_candidates
from tt_actions.errors import UnreadableError
from tt_actions.evaluation.tables import screen_table
from tt_actions.files import write_rows
from tt_actions.skeleton.layouts import NTU25
from tt_actions.sources.synthetic.faults import FAULTS, SIZES, faulty_motion
from tt_actions.sources.synthetic.motion import FPS, Motion, clip_motion
from tt_actions.sources.synthetic.player import Player, draw_player

HITS = {
    "late_contact": "contact_point-",
    "bent_elbow": "elbow-",
    "raised_elbow": "elbow_height+",
    "small_backswing": "backswing-",
    "short_follow_through": "follow_through-",
    "no_trunk_turn": "trunk_turn-",
    "lean_back": "lean-",
    "slow_swing": "tempo+",
    "low_toss": "toss-",
    "square_feet": "feet+",
    "narrow_stance": "stance-",
}
LABELS = ("serve", "forehand", "backhand", "smash")
SHORTEST_S, LONGEST_S = 2.0, 2.6


class Row(NamedTuple):
    """Findings in the strokes of one class with one fault of one size."""

    fault: str
    size: str
    label: str
    strokes: int
    hits: int
    others: Counter[str]


def player(number: int, seed: int) -> Player:
    return draw_player(np.random.default_rng([seed, 0, number]), f"player_{number}")


def draw(label: str, number: int, take: int, seed: int, fault: str | None = None, size: str = "") -> Motion:
    """Generate a stroke of a player, faultless unless a fault is given."""
    rng = np.random.default_rng([seed, 1, number, take])
    who, duration_s = player(number, seed), rng.uniform(SHORTEST_S, LONGEST_S)
    if fault is None:
        return clip_motion(rng, who, label, duration_s, None)
    return faulty_motion(rng, who, label, duration_s, fault, size)


def read(motion: Motion, folder: Path) -> list[StrokeMotion]:
    """The candidates of a stroke, through a file as the synthetic source writes it."""
    path = folder / "stroke.npz"
    np.savez(path, joints_3d=motion.players[0].joints, fps=FPS)
    return read_candidates(path, NTU25, FPS)


def teach(label: str, num_players: int, takes: int, seed: int, folder: Path) -> Coach:
    """Make a coach with the faultless strokes of the first players as references."""
    numbers = [number for number in range(num_players) for _ in range(takes)]
    candidates = [
        read(draw(label, number, take, seed), folder)
        for number, take in zip(numbers, list(range(takes)) * num_players, strict=True)
    ]
    return Coach(make_references(label, candidates, [f"player_{number}" for number in numbers]))


def judge(coach: Coach, motion: Motion, folder: Path) -> list[Finding]:
    """Return the findings in a stroke; none if the end of the clip cuts it off, which the coach rejects."""
    try:
        return coach.judge(coach.references.choose(read(motion, folder)))
    except UnreadableError:
        return []


def main() -> None:
    """Measure, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the table")
    parser.add_argument(
        "--references", type=int, default=120, help="number of reference players, two takes each"
    )
    parser.add_argument(
        "--judged", type=int, default=40, help="number of other players, one take per fault and size"
    )
    parser.add_argument("--seed", type=int, default=3, help="seed of all strokes")
    parser.add_argument("--quick", action="store_true", help="a smoke test on few strokes of one class")
    options = parser.parse_args()
    if options.quick:
        options.references, options.judged = 10, 2
    options.out.mkdir(parents=True, exist_ok=True)
    others = range(options.references, options.references + options.judged)
    rows: list[Row] = []
    false: dict[str, list[int]] = {}
    for label in LABELS[-1:] if options.quick else LABELS:
        coach = teach(label, options.references, 2, options.seed, options.out)
        sound = [
            judge(coach, draw(label, n, take, options.seed), options.out) for n in others for take in (0, 1)
        ]
        false[label] = [sum(map(bool, sound)), len(sound)]
        for fault in (fault for fault in FAULTS.values() if label in fault.labels):
            for size in SIZES:
                found = [
                    judge(coach, draw(label, n, 2, options.seed, fault.name, size), options.out)
                    for n in others
                ]
                kinds = Counter(finding.kind for own in found for finding in own)
                hits = kinds.pop(HITS[fault.name], 0)
                rows.append(Row(fault.name, size, label, len(found), hits, kinds))
    report(rows, false, options.out)


def report(rows: list[Row], false: dict[str, list[int]], out: Path) -> None:
    """Print a table per fault, and write a table per fault and stroke class."""
    headings = [f"{size} {what}" for size in SIZES for what in ("amount", "precision", "recall")]
    table = screen_table("found faults", headings)
    for name in [*(name for name in FAULTS if name in {row.fault for row in rows}), "all"]:
        cells = [name]
        for i, size in enumerate(SIZES):
            own = [row for row in rows if row.size == size and name in (row.fault, "all")]
            hits, strokes = sum(row.hits for row in own), sum(row.strokes for row in own)
            others = sum(sum(row.others.values()) for row in own)
            amount = "" if name == "all" else f"{FAULTS[name].amounts[i]:g} {FAULTS[name].unit}"
            cells += [amount, f"{hits / max(1, hits + others):.2f}", f"{hits / strokes:.2f}"]
        table.add_row(*cells)
    Console(width=200).print(table)
    for label, (found, strokes) in false.items():
        print(f"faultless {label}s with a finding: {found} of {strokes}")
    found, strokes = np.sum(list(false.values()), axis=0)
    print(f"all faultless strokes with a finding: {found} of {strokes} ({100 * found / strokes:.1f} %)")
    cells = [(*row[:5], " ".join(f"{kind}:{n}" for kind, n in row.others.most_common())) for row in rows]
    write_rows(out / "diagnosis.csv", ["fault", "size", "class", "strokes", "hits", "other findings"], cells)


if __name__ == "__main__":
    main()
