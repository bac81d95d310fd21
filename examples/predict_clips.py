"""Name the stroke in each of some clips, and print how sure the model is.

Run ``python examples/predict_clips.py CHECKPOINT CLIP... [--roi X0 Y0 X1 Y1]``. A model that was trained on
clips with regions needs the player's region.
"""

import argparse
from pathlib import Path

import tt_actions


def main() -> None:
    """Read the arguments and print a line for each clip."""
    parser = argparse.ArgumentParser(description="Name the stroke in each of some clips.")
    parser.add_argument("checkpoint", type=Path, help="checkpoint of a trained model")
    parser.add_argument("clips", type=Path, nargs="+", help="video files")
    parser.add_argument("--roi", type=int, nargs=4, help="the player's region in pixels")
    options = parser.parse_args()
    roi = tuple(options.roi) if options.roi else None

    model = tt_actions.load(options.checkpoint)
    for clip in options.clips:
        stroke = model.predict(clip, roi=roi)
        print(f"{clip}: {stroke.label} ({stroke.probabilities[stroke.label]:.2f})")


if __name__ == "__main__":
    main()
