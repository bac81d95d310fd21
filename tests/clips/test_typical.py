"""Statistics of training clips, and how they get into a checkpoint."""

from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from run_files import rows

from tt_actions.clips.cache import FrameCache
from tt_actions.clips.manifest import read_manifest
from tt_actions.clips.typical import TypicalClip, motion_of
from tt_actions.errors import UserError
from tt_actions.evaluation.explain import explain
from tt_actions.main import main
from tt_actions.recognition.loading import load


def test_motion_is_the_mean_change_in_the_median_frame_written_out():
    frames = np.random.default_rng(0).integers(0, 256, (6, 5, 4, 5), dtype=np.uint8)
    changes = [
        np.mean([abs(float(a) - float(b)) for a, b in zip(x[..., :3].flat, y[..., :3].flat, strict=True)])
        for x, y in pairwise(frames)
    ]
    assert motion_of(frames) == pytest.approx(sorted(changes)[2])
    assert motion_of(frames[:1]) == 0


def test_a_checkpoint_contains_the_median_of_its_training_clips(trained, strokes, cache_dir):
    model, cache = load(trained / "checkpoints" / "best.ckpt"), FrameCache(cache_dir)
    training = {row["name"] for row in rows(trained / "splits.csv") if row["split"] == "train"}
    records = [record for record in read_manifest(strokes) if record.name in training]
    assert len(records) == len(training) > 0
    clips = [cache.frames(record, model.preprocessing.spec) for record in records]
    assert model.typical_clip.seconds == np.median([len(clip) for clip in clips]) / model.preprocessing.fps
    assert model.typical_clip.motion == np.median([motion_of(clip) for clip in clips]) > 0


def test_a_model_trained_on_regions_refuses_a_video_without_one(trained, strokes):
    model, record = load(trained / "checkpoints" / "best.ckpt"), read_manifest(strokes)[0]
    assert model.has_regions
    for ask in (model.predict, model.analyze, partial(explain, model)):
        with pytest.raises(UserError, match="Expected `roi`, the player's region in pixels"):
            ask(record.path)
    assert model.predict(record.path, roi=record.roi).label in model.class_names
    given = ({"rois": [record.roi]}, {"players": ["left", "right"]}, {"crop": "motion"}, {"crop": "none"})
    for options in given:
        assert model.analyze(record.path, **options).duration_s > 0
    model.has_regions = False  # as in older checkpoints
    assert model.predict(record.path).label in model.class_names


def test_a_model_trained_on_regions_does_not_predict_clips_without_one(trained, strokes, tmp_path):
    records = read_manifest(strokes)[:4]
    lines = ["path,split", *(f"{record.path},test" for record in records)]
    (tmp_path / "clips.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match="Expected `roi`, the player's region in pixels"):
        main(
            [
                "predict",
                str(tmp_path / "clips.csv"),
                "--checkpoint",
                str(trained / "checkpoints" / "best.ckpt"),
            ]
        )


@pytest.mark.parametrize(
    ("seconds", "motion"), [(0, 1), (-1, 1), (float("inf"), 1), (1, -1), (1, float("nan"))]
)
def test_impossible_clip_statistics_are_refused(seconds, motion):
    with pytest.raises(ValueError, match="Expected a typical clip"):
        TypicalClip(seconds, motion)
