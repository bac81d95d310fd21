"""Small matches to mark: a video, the joints of its players, and strokes that are proposed."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from drawn_motions import draw, see_landmarks

from tt_actions.clips.strokes import Stroke
from tt_actions.pose.video import POINTS, WORLD
from tt_actions.recognition.analysis import MatchAnalysis, PlayerMotion
from tt_actions.skeleton.layouts import BLAZEPOSE33, COCO17
from tt_actions.sources.synthetic.motion import FPS
from tt_actions.video.encoder import write_video

CLASSES = ("serve", "forehand", "backhand", "smash")


def film(path, duration_s, fps=10):
    """A grey video."""
    write_video(path, np.full((round(duration_s * fps), 32, 64, 3), 128, np.uint8), fps=fps)
    return path


def make_match(video, strokes, players=("anna",), class_names=CLASSES, duration_s=10.0, **options):
    """An analysis of a grey video with these strokes, without joints."""
    times_s = np.arange(round(duration_s * 10)) / 10
    names = (*class_names, "idle")
    return MatchAnalysis(
        film(video, duration_s),
        duration_s,
        tuple(class_names),
        tuple(players),
        tuple(sorted(strokes, key=lambda stroke: stroke.start_s)),
        names,
        times_s,
        options.pop("probabilities", np.zeros((len(players), len(times_s), len(names)), np.float32)),
        rois=tuple((0, 0, 32 * (i + 1), 32) for i in range(len(players))),
        **options,
    )


def project(analysis):
    """The analysis with all joints in the image too."""
    poses = analysis.motion.poses.copy()
    poses[..., POINTS] = 200 + 100 * poses[..., WORLD][..., :2] * (1, -1)
    return replace(analysis, motion=analysis.motion._replace(poses=poses))


def flatten(analysis):
    """The analysis with the joints that a user's own pose model finds: COCO's, in the image only."""
    poses = project(analysis).motion.poses
    poses[..., WORLD] = np.nan
    others = [index for index, name in enumerate(BLAZEPOSE33.joints) if name not in COCO17.joints]
    poses[:, :, others, POINTS] = np.nan
    return replace(analysis, motion=analysis.motion._replace(poses=poses))


def draw_match(video, labels, players=None, name="swing"):
    """An analysis of drawn strokes of these classes, one after the other with a cut before each.

    All are called the same, as a finder of swings without names does.
    """
    with tempfile.TemporaryDirectory() as folder:
        numbers = range(len(labels)) if players is None else players
        motions = [draw(label, number) for label, number in zip(labels, numbers, strict=True)]
        seen = [see_landmarks(motion, Path(folder)).values for motion in motions]
    starts = np.cumsum([0, *map(len, seen)])
    times_s = np.arange(starts[-1]) / FPS
    strokes = []
    for motion, start in zip(motions, starts.tolist(), strict=False):
        begin_s, own = start / FPS, motion.strokes[0]
        times = (begin_s + own.start_s, begin_s + own.end_s, begin_s + own.contact_s)
        strokes.append(Stroke(name, *times, player="anna"))
    poses = np.concatenate(seen)[None]
    motion = PlayerMotion(
        poses, np.ones(poses.shape[:2], np.float32), np.isin(np.arange(starts[-1]), starts[1:]), 2.0
    )
    duration_s = float(starts[-1]) / FPS
    return MatchAnalysis(
        film(video, duration_s),
        duration_s,
        (name,),
        ("anna",),
        tuple(strokes),
        (name, "idle"),
        times_s,
        np.zeros((1, len(times_s), 2), np.float32),
        motion=motion,
        rois=(None,),
    )
