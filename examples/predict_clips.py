"""Name the stroke in each of some clips, and print how sure the model is.

Run ``python examples/predict_clips.py CHECKPOINT CLIP...``.
"""

import argparse
from pathlib import Path

import tt_actions


def main() -> None:
    """Read the arguments and print a line for each clip."""
    parser = argparse.ArgumentParser(description="Name the stroke in each of some clips.")
    parser.add_argument("checkpoint", type=Path, help="checkpoint of a trained model")
    parser.add_argument("clips", type=Path, nargs="+", help="video files")
    options = parser.parse_args()

    model = tt_actions.load(options.checkpoint)
    for clip in options.clips:
        stroke = model.predict(clip)
        print(f"{clip}: {stroke.label} ({stroke.probabilities[stroke.label]:.2f})")


if __name__ == "__main__":
    main()
