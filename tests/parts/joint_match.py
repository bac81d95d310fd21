"""A model of joints, trained on drawn strokes; a video of such strokes; what the analysis has written."""

from pathlib import Path

import numpy as np

from tt_actions.main import main
from tt_actions.recognition.analysis import MatchAnalysis, PlayerMotion
from tt_actions.skeleton.layouts import BLAZEPOSE33
from tt_actions.sources.synthetic.generate import synthesize
from tt_actions.sources.synthetic.scene import World
from tt_actions.video.encoder import write_video
from tt_actions.video.frames import read_frames

EXPERIMENT = Path(__file__).parents[2] / "experiments" / "strokes.yaml"
NUM_CLIPS = 4
SHORT = World(clip_s=(2.0, 2.0))
"""The shortest clips: finding joints takes time for every image."""


def train_on_joints(folder):
    """A run whose model has seen the joints of a few drawn strokes."""
    synthesize(folder / "clips", 24, 4, pictures=False, num_workers=1)
    options = ["--runs", str(folder / "runs"), "--data.cache_dir", str(folder / "cache")]
    main(["train", "--config", str(EXPERIMENT), "--data", str(folder / "clips" / "manifest.csv"), *options])


def film_strokes(folder):
    """A video of four strokes, one after the other, with the joints as they were drawn."""
    synthesize(folder / "drawn", NUM_CLIPS, NUM_CLIPS, size=(320, 240), num_workers=1, world=SHORT)
    clips = sorted((folder / "drawn").rglob("*.mp4"), key=lambda path: path.name.split("_")[1])
    write_video(folder / "match.mp4", np.concatenate([read_frames(clip).values for clip in clips]), fps=30)
    truths = [np.load(clip.with_suffix(".npz"))["joints_2d"] for clip in clips]
    np.savez(folder / "truth.npz", joints_2d=np.concatenate(truths))


def move(hands, fps=30, players=("player",), strokes=(), video=Path("match.mp4")):
    """An analysis whose players stand at (100, 100), 80 pixels tall, and move their right hand up.

    Args:
        hands: Height of the hand in each image and of each player, in metres; NaN while the player is lost.
    """
    hands = np.asarray(hands, np.float32)
    poses = np.zeros((*hands.shape, 33, 6), np.float32)
    spread = np.random.default_rng(0).uniform(-1, 1, (33, 2))
    poses[..., :2] = 100 + 20 * spread
    for name, y in (("shoulder", 80), ("hip", 110), ("ankle", 140), ("ear", 60)):
        for side, x in (("left", 95), ("right", 105)):
            poses[..., BLAZEPOSE33.index(f"{side}_{name}"), :2] = x, y
    wrist = BLAZEPOSE33.index("right_wrist")
    poses[..., wrist, 4] = hands
    poses[..., wrist, 1] -= 50 * hands
    poses[np.isnan(hands)] = np.nan
    speed = np.abs(np.gradient(hands, axis=-1)) * fps
    times_s = np.arange(hands.shape[1]) / fps
    return MatchAnalysis(
        video,
        hands.shape[1] / fps,
        ("serve", "forehand"),
        tuple(players),
        tuple(strokes),
        ("serve", "forehand", "idle"),
        times_s,
        np.zeros((*hands.shape, 3), np.float32),
        motion=PlayerMotion(poses, speed.astype(np.float32), np.zeros(hands.shape[1], bool), 2.0),
    )
