import json
import subprocess
import sys
from collections import Counter

import av
import numpy as np
import pytest
from run_files import PATIENCE_S

from tt_actions.clips.manifest import read_manifest
from tt_actions.clips.strokes import STROKES
from tt_actions.main import main
from tt_actions.sources.synthetic.generate import _region, synthesize
from tt_actions.sources.synthetic.motion import strokes_of
from tt_actions.sources.synthetic.scene import World
from tt_actions.sources.synthetic.settings import EDITION, SPREAD_EDITION, Settings
from tt_actions.sources.synthetic.source import SyntheticStrokes

SMALL = {"num_players": 2, "size": (160, 120), "world": World(clip_s=(2.0, 2.1))}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("made")
    synthesize(out, 4, num_rallies=1, rally_s=6.0, depth=True, silhouettes=True, num_workers=1, **SMALL)
    return out


def contents(out):
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


def facts_of(path):
    with np.load(path, allow_pickle=False) as facts:
        return dict(facts)


def test_manifest_lists_each_class_with_its_player(made):
    records = read_manifest(made / "manifest.csv")
    assert [record.label for record in records] == list(STROKES)
    assert [record.group for record in records] == ["player_00", "player_01", "player_00", "player_01"]
    assert all(record.path.is_file() and record.path.with_suffix(".npz").is_file() for record in records)


def settings_of(num_clips, num_players, sport="table_tennis"):
    return Settings(num_clips, num_players, 0, (320, 240), 0, 60.0, False, False, World(), sport=sport)


@pytest.mark.parametrize(
    ("num_clips", "num_players"), [(8, 4), (40, 40), (39, 40), (7, 6), (3, 5), (100, 40)]
)
@pytest.mark.parametrize("sport", ["table_tennis", "tennis"])
def test_few_clips_have_as_many_players_as_possible(num_clips, num_players, sport):
    settings = settings_of(num_clips, num_players, sport)
    clips = [settings.clip(index) for index in range(num_clips)]
    assert len({player for _, player in clips}) == min(num_clips, num_players)
    per_class = Counter(label for label, _ in set(clips))
    assert min(per_class.values()) >= num_clips // len(strokes_of(sport))  # no player plays a class twice


def test_enough_clips_have_each_player_in_each_class_and_the_players_of_earlier_versions():
    settings = settings_of(24, 6)
    assert [settings.clip(index)[1] for index in range(24)] == [index // 4 for index in range(24)]
    assert (settings.edition, settings_of(23, 6).edition) == (EDITION, SPREAD_EDITION)
    assert settings_of(0, 6).edition == EDITION  # rallies alone


def test_regions_are_upright_and_hold_the_player(made):
    for record in read_manifest(made / "manifest.csv"):
        x0, y0, x1, y1 = record.roi
        assert (x1 - x0) / (y1 - y0) == pytest.approx(0.75, abs=0.05)
        assert 0 <= x0 < x1 <= 160
        assert 0 <= y0 < y1 <= 120
        trunk = facts_of(record.path.with_suffix(".npz"))["joints_2d"][:, [0, 1, 2, 20]]
        assert ((trunk >= [x0, y0]) & (trunk <= [x1, y1])).mean() > 0.99


def test_a_region_does_not_tell_how_far_the_arms_reach():
    pose = np.random.default_rng(0).normal([160, 120], [8, 30], (25, 2))
    joints = np.tile(pose, (60, 1, 1))
    raised = joints.copy()
    raised[20:30, 8:12] += [60, -80]
    regions = [_region(np.random.default_rng(1), points, (320, 240)) for points in (joints, raised)]
    assert regions[0] == regions[1]


def test_classes_and_players_are_balanced():
    settings = Settings(565, 40, 0, (320, 240), 0, 60.0, False, False, World())
    pairs = Counter(settings.clip(i) for i in range(565))
    assert len(pairs) == 160
    assert set(pairs.values()) == {3, 4}


def test_video_has_the_frames_and_the_rate_that_its_facts_state(made):
    for path in made.rglob("*.mp4"):
        facts = facts_of(path.with_suffix(".npz"))
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            assert stream.average_rate == facts["fps"] == 30
            assert (stream.width, stream.height) == (160, 120)
            assert sum(1 for _ in container.decode(stream)) == len(facts["joints_3d"])


def test_facts_agree_with_each_other(made):
    for path in made.rglob("*.npz"):
        facts = facts_of(path)
        num_frames = len(facts["ball"])
        joints, camera = facts["joints_3d"].astype(float), facts["camera"]
        seen = np.einsum("tij,tvj->tvi", camera, np.concatenate([joints, np.ones((num_frames, 25, 1))], -1))
        np.testing.assert_allclose(facts["joints_2d"], seen[..., :2] / seen[..., 2:], atol=1e-3)
        assert facts["depth"].shape == facts["silhouettes"].shape == (num_frames, 120, 160)
        assert facts["depth"].dtype == np.float16
        assert facts["silhouettes"].dtype == bool
        assert np.isfinite(facts["depth"]).all()
        times_s = np.arange(num_frames) / 30
        own = facts["stroke_player"] == 0
        expected = np.full(num_frames, len(STROKES))
        for label, start_s, end_s in zip(
            facts["stroke_label"][own], facts["stroke_start_s"][own], facts["stroke_end_s"][own], strict=True
        ):
            expected[(times_s >= start_s) & (times_s < end_s)] = STROKES.index(label)
        np.testing.assert_array_equal(facts["frame_labels"], expected)


def test_a_clip_is_one_stroke_of_its_class_and_a_rally_several(made):
    for record in read_manifest(made / "manifest.csv"):
        facts = facts_of(record.path.with_suffix(".npz"))
        own = facts["stroke_player"] == 0
        assert facts["label"] == record.label
        assert facts["stroke_label"][own].tolist() == [record.label]
        assert facts["stroke_start_s"][own] < facts["stroke_contact_s"][own] < facts["stroke_end_s"][own]
    assert len(facts_of(made / "rallies" / "rally_000.npz")["stroke_label"]) > 1


def test_any_number_of_workers_makes_the_same_files(made, tmp_path):
    synthesize(tmp_path, 4, num_rallies=1, rally_s=6.0, depth=True, silhouettes=True, num_workers=2, **SMALL)
    assert contents(tmp_path) == contents(made)


def test_two_processes_at_once_make_one_whole_set(tmp_path):
    code = (
        "import sys; from pathlib import Path; from tt_actions.sources.synthetic.generate import synthesize; "
        "synthesize(Path(sys.argv[1]), 4, 2, size=(160, 120), num_workers=1)"
    )
    shared, alone = tmp_path / "shared", tmp_path / "alone"
    both = [subprocess.Popen([sys.executable, "-c", code, str(shared)]) for _ in range(2)]
    assert [process.wait(timeout=PATIENCE_S) for process in both] == [0, 0]
    synthesize(alone, 4, 2, size=(160, 120), num_workers=1)
    assert contents(shared) == contents(alone)


def test_another_seed_makes_other_clips(made, tmp_path):
    synthesize(tmp_path, 1, seed=1, num_workers=1, **SMALL)
    ours, theirs = (next(out.rglob("serve_0000*.npz")) for out in (tmp_path, made))
    assert facts_of(ours)["camera"].tolist() != facts_of(theirs)["camera"].tolist()


def test_only_what_is_missing_is_made_again(made):
    before = contents(made)
    times = {path: path.stat().st_mtime_ns for path in made.rglob("*.mp4")}
    lost = next(made.rglob("smash*.mp4"))
    lost.with_suffix(".npz").unlink()
    synthesize(made, 4, num_rallies=1, rally_s=6.0, depth=True, silhouettes=True, num_workers=1, **SMALL)
    assert contents(made) == before
    assert {path for path in times if path.stat().st_mtime_ns != times[path]} == {lost}


def test_a_folder_made_with_other_settings_is_refused_and_left_alone(made):
    before = contents(made)
    with pytest.raises(ValueError, match=r"`seed` 0 \(now 7\)\. Remove the folder, or choose another"):
        synthesize(
            made, 4, seed=7, num_rallies=1, rally_s=6.0, depth=True, silhouettes=True, num_workers=1, **SMALL
        )
    assert contents(made) == before


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": (150, 120)}, "from 160x120 to 1280x720, but got 150x120"),
        ({"size": (321, 240)}, "even numbers"),
        ({"num_players": 1}, "`num_players` to be at least 2, but got 1"),
        ({"seed": -1}, "`seed` to be at least 0, but got -1"),
        ({"world": World(halls=0)}, "`halls` to be at least 1, but got 0"),
        ({"rally_s": 2.0}, "`--rally-seconds` .* at least 3.* seconds, but got 2.0"),
        ({"rally_s": float("nan")}, "`--rally-seconds` .* but got nan"),
        ({"rally_s": float("inf")}, "`--rally-seconds` .* but got inf"),
    ],
)
def test_settings_out_of_range_are_refused_before_anything_is_written(tmp_path, wrong, message):
    with pytest.raises(ValueError, match=message):
        synthesize(tmp_path / "new", 1, **wrong)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("damage", ["", "{", "[]", "\udcff"])
def test_damaged_settings_are_named(tmp_path, damage):
    (tmp_path / "settings.json").write_bytes(damage.encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=r"Expected '.*settings\.json' to contain .*Remove the folder"):
        synthesize(tmp_path, 1)


def test_a_folder_that_can_not_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(
            OSError, match=r"write '.*/settings\.json', but got: .*Check the path and its perm"
        ):
            synthesize(out, 1)


def test_the_source_draws_what_is_absent_and_lists_it(tmp_path):
    source = SyntheticStrokes(tmp_path / "data", clips=4, players=2, size=(160, 120))
    with pytest.raises(FileNotFoundError, match=r"manifest\.csv"):
        source.records()
    source.prepare()
    assert {record.label for record in source.records()} == set(STROKES)
    assert json.loads((tmp_path / "data" / "settings.json").read_text())["num_clips"] == 4


def test_drawing_does_not_load_torch():
    code = "import sys, tt_actions.main, tt_actions.sources.synthetic.generate; print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"


def test_nothing_to_generate_is_refused(tmp_path):
    with pytest.raises(ValueError, match="Expected clips or rallies to generate, but got 0 of both"):
        main(["synth", "--out", str(tmp_path / "out"), "--clips", "0"])
    assert not (tmp_path / "out").exists()
