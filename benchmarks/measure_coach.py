"""Measure what the coach says about real strokes in videos, each judged by the others of its class.

    python benchmarks/measure_coach.py DIR [--roi 0,0,852,409] [--cache data/cache]

``DIR/<class>/*.mp4`` are clips of one stroke of good players, so that advice counts as false. Each stroke is
also judged by the references of every other class, where it should be unlike all references.
"""

import argparse
from pathlib import Path

from tt_actions.clips.cache import FrameCache
from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.records import ClipRecord
from tt_actions.coach.diagnosis import Coach
from tt_actions.coach.reference_clips import ClipReader, list_references
from tt_actions.coach.references import make_references
from tt_actions.coach.review import Review, judge_candidates
from tt_actions.coach.stroke import StrokeMotion
from tt_actions.command_line import parse_roi
from tt_actions.errors import UnreadableError

Strokes = dict[str, list[StrokeMotion]]


def read(reader: ClipReader, records: list[ClipRecord]) -> dict[str, Strokes]:
    """Read the candidates of all clips by class and name."""
    found: dict[str, Strokes] = {}
    for record in records:
        try:
            found.setdefault(str(record.label), {})[record.path.stem] = reader.read_strokes(record)
        except UnreadableError:
            print(f"{record.path.name}: no complete stroke")
    return found


def teach(label: str, strokes: Strokes) -> Coach:
    return Coach(make_references(label, list(strokes.values()), list(strokes)))


def count(reviews: list[Review]) -> str:
    unlike, advised = sum(r.is_unlike for r in reviews), sum(bool(r.findings) for r in reviews)
    left = sum(r.stroke.left_handed for r in reviews)
    return (
        f"{len(reviews)} strokes, {left} left-handed, {unlike} unlike all references, {advised} with advice"
    )


def main() -> None:
    """Measure and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of clips, one subfolder per class")
    parser.add_argument("--roi", type=parse_roi, help="region of the player, for all clips")
    parser.add_argument("--cache", type=Path, default=Path("data/cache"), help="folder of the joints")
    parser.add_argument("--quick", action="store_true", help="a smoke test with the first class")
    options = parser.parse_args()
    reader = ClipReader(JointPreprocessing("ntu25", roi=options.roi), FrameCache(options.cache), 30.0)
    found = read(reader, list_references(options.folder)[0])
    for label, strokes in list(found.items())[: 1 if options.quick else None]:
        judged = [
            judge_candidates(teach(label, {n: s for n, s in strokes.items() if n != name}), own, 1.0)
            for name, own in strokes.items()
        ]
        print(f"{label} by the other clips: {count(judged)}", flush=True)
        coach = teach(label, strokes)
        for other, theirs in found.items():
            if other != label:
                reviews = [judge_candidates(coach, own, 1.0) for own in theirs.values()]
                print(f"  {other} as {label}: {count(reviews)}", flush=True)


if __name__ == "__main__":
    main()
