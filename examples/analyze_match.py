"""Find the strokes in a match, and print each with its time and its player.

Run ``python examples/analyze_match.py CHECKPOINT VIDEO [PLAYER...]``. Players are named from left to right.
"""

import argparse
from collections import Counter
from pathlib import Path

import tt_actions


def main() -> None:
    """Read the arguments, and print a line for each stroke and the count of each class."""
    parser = argparse.ArgumentParser(description="Find the strokes in a match.")
    parser.add_argument("checkpoint", type=Path, help="checkpoint of a trained model")
    parser.add_argument("video", type=Path, help="the match")
    parser.add_argument("players", nargs="*", help="names from left to right; none for one player")
    options = parser.parse_args()

    analysis = tt_actions.load(options.checkpoint).analyze(options.video, players=options.players)
    for stroke in analysis.strokes:
        print(f"{stroke.start_s:7.2f} s  {stroke.player}  {stroke.label}  ({stroke.confidence:.2f})")
    for (player, label), count in sorted(Counter((s.player, s.label) for s in analysis.strokes).items()):
        print(f"{player} plays {label} {count} times")
    for remark in analysis.remarks:
        print(f"note: {remark}")


if __name__ == "__main__":
    main()
