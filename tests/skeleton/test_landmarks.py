from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joint_files import write

from tt_actions.errors import UnreadableError
from tt_actions.skeleton.files import read_joints
from tt_actions.skeleton.layouts import (
    BLAZEPOSE33,
    BLAZEPOSE33_2D,
    COCO17,
    KINECT20,
    MOVENET13,
    NTU25,
    PATHS,
    THETIS15,
)

REAL = Path(__file__).parents[2] / "../shared/real/tt_landmarks33"
SPACE, IMAGE = (BLAZEPOSE33, NTU25, KINECT20, THETIS15), (BLAZEPOSE33_2D, COCO17, MOVENET13)
TO_CAMERA = np.array([-1, -1, 1])
LIST = (  # copied from the documentation of MediaPipe, in its order
    "nose,left eye (inner),left eye,left eye (outer),right eye (inner),right eye,right eye (outer),left ear,"
    "right ear,mouth (left),mouth (right),left shoulder,right shoulder,left elbow,right elbow,left wrist,"
    "right wrist,left pinky,right pinky,left index,right index,left thumb,right thumb,left hip,right hip,"
    "left knee,right knee,left ankle,right ankle,left heel,right heel,left foot index,right foot index"
)
MEDIAPIPE = LIST.split(",")
ENUM = [name.replace("(", "").replace(")", "").replace(" ", "_").upper() for name in MEDIAPIPE]


def world(num_frames=6):
    """World landmarks (T, 33, 3) of a person who faces the camera: x right, y down, z away."""
    rng = np.random.default_rng(3)
    body = rng.normal(0, 0.3, (num_frames, 33, 3))
    body[:, 11:13] = [[0.2, -0.5, -0.1], [-0.2, -0.5, -0.1]]  # shoulders, the left one right in the image
    body[:, 23:25] = [[0.12, 0.003, 0], [-0.12, -0.002, 0]]
    return body.astype(np.float32)


def pixels(num_frames=6, width=1280, height=720):
    """The same person in the image, (T, 33, 3) in pixels; z has the scale of x."""
    return world(num_frames) * 200 + np.array([width / 2, height / 2, 0], np.float32)


def fractions(num_frames=6):
    return pixels(num_frames) / np.array([1280, 720, 1280], np.float32)


def with_scores(landmarks, num=1):
    return np.concatenate([landmarks, np.full((*landmarks.shape[:2], num), 0.01, np.float32)], -1)


def table_text(landmarks, names, before=None, after=None):
    """A CSV file of landmarks (T, 33, C), with one column before and one after."""
    header = [*([before[0]] if before else []), *names, *([after[0]] if after else [])]
    rows = [",".join(header)] if names else []
    for t, frame in enumerate(landmarks):
        cells = ["" if np.isnan(value) else str(value) for value in frame.ravel()]
        cells = [*([str(before[1][t])] if before else []), *cells, *([str(after[1][t])] if after else [])]
        rows.append(",".join(cells))
    return "\n".join(rows) + "\n"


@pytest.mark.parametrize("num_scores", [0, 1, 2])
@pytest.mark.parametrize("is_flat", [False, True])
def test_arrays_of_landmarks_are_turned_to_our_axes(tmp_path, num_scores, is_flat):
    for name, landmarks in (("world", world()), ("pixels", pixels()), ("fractions", fractions())):
        values = with_scores(landmarks, num_scores)
        np.save(tmp_path / f"{name}.npy", values.reshape(len(values), -1) if is_flat else values)
    read = read_joints(tmp_path / "world.npy", BLAZEPOSE33)
    np.testing.assert_allclose(read.joints, world() * TO_CAMERA)  # though no landmark is visible
    assert read.times_s is None
    left, right = (read.joints[0, BLAZEPOSE33.index(f"{side}_shoulder")] for side in ("left", "right"))
    assert left.tolist() == pytest.approx([-0.2, 0.5, -0.1])  # left is at -x, up at +y, towards the camera -z
    assert right.tolist() == pytest.approx([0.2, 0.5, -0.1])
    np.testing.assert_allclose(
        read_joints(tmp_path / "pixels.npy", BLAZEPOSE33).joints, pixels() * TO_CAMERA, rtol=1e-6
    )
    for name, landmarks in (("pixels", pixels()), ("fractions", fractions())):
        read = read_joints(tmp_path / f"{name}.npy", BLAZEPOSE33_2D)
        np.testing.assert_allclose(read.joints, landmarks[..., :2] * [1, -1], rtol=1e-6)


def test_landmarks_are_converted_to_the_wanted_layout(tmp_path):
    np.save(tmp_path / "w.npy", with_scores(world()))
    np.save(tmp_path / "p.npy", with_scores(pixels()).astype(np.float64))
    body = world()
    for layout in SPACE:
        read = read_joints(tmp_path / "w.npy", layout)
        assert read.layout is layout
        knee = read.joints[:, layout.index("right_knee")]
        np.testing.assert_allclose(knee, body[:, 26] * TO_CAMERA)
    chest = read_joints(tmp_path / "w.npy", NTU25).joints[:, NTU25.index("chest")]
    np.testing.assert_allclose(chest, np.tile([0, 0.5, -0.1], (6, 1)), atol=1e-6)
    for layout in IMAGE:
        read = read_joints(tmp_path / "p.npy", layout)
        wrist = read.joints[:, layout.index("left_wrist")]
        np.testing.assert_allclose(wrist, pixels()[:, 15, :2] * [1, -1], rtol=1e-6)


def test_arrays_in_our_own_order_are_read_as_before(tmp_path):
    joints = np.random.default_rng(0).normal(size=(3, 33, 33)).astype(np.float32)  # (C, T, V), T = 33
    np.save(tmp_path / "a.npy", joints)
    np.testing.assert_array_equal(
        read_joints(tmp_path / "a.npy", BLAZEPOSE33).joints, joints.transpose(1, 2, 0)
    )


def test_frames_of_zeros_or_nan_are_missing(tmp_path):
    body = with_scores(world(30))
    body[0], body[1, :, :3], body[2], body[3, 15, 1] = 0, 0, np.nan, np.nan
    np.save(tmp_path / "a.npy", body)
    read = read_joints(tmp_path / "a.npy", BLAZEPOSE33).joints
    assert np.isnan(read[:3]).all()
    assert np.flatnonzero(np.isnan(read[3]).all(-1)).tolist() == [15]
    assert not np.isnan(read[4:]).any()
    for nothing in (np.zeros((4, 33, 4)), np.full((4, 33, 4), np.nan)):
        np.save(tmp_path / "none.npy", nothing)
        for layout in (NTU25, COCO17):
            assert np.isnan(read_joints(tmp_path / "none.npy", layout).joints).all()


def test_a_few_frames_with_other_hips_are_still_world_landmarks(tmp_path):
    body = world(20)
    body[0, 23:25] += 0.3
    np.save(tmp_path / "a.npy", body)
    np.testing.assert_allclose(read_joints(tmp_path / "a.npy", BLAZEPOSE33).joints, body * TO_CAMERA)


@pytest.mark.parametrize("suffix", [".npy", ".csv"])
def test_landmarks_of_the_other_kind_are_refused(tmp_path, suffix):
    unscaled = pixels()
    unscaled[..., 2] /= 1280
    expected = {
        "world": (
            world(),
            IMAGE,
            "landmarks in the image .* but got world landmarks. .*`pose_landmarks`, or",
        ),
        "fractions": (fractions(), SPACE, "fractions of the picture.* `pose_world_landmarks`, or use a 2D"),
        "unscaled": (unscaled, SPACE, "z in another unit. .*`pose_world_landmarks`"),
    }
    for name, (landmarks, layouts, message) in expected.items():
        file = tmp_path / f"{name}{suffix}"
        if suffix == ".npy":
            np.save(file, landmarks)
        else:
            write(file, table_text(landmarks, []))
        for layout in layouts:
            with pytest.raises(UnreadableError, match=message) as raised:
                read_joints(file, layout)
            assert str(file) in str(raised.value)
            assert f"`layout` {layout.name}" in str(raised.value)
    np.save(tmp_path / "flat.npy", pixels()[..., :2])
    assert read_joints(tmp_path / "flat.npy", COCO17).joints.shape == (6, 17, 2)
    with pytest.raises(UnreadableError, match="landmarks without z"):
        read_joints(tmp_path / "flat.npy", NTU25)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((0, 33, 4)), "at least one frame"),
        (np.zeros((0, 132)), "at least one frame"),
        (np.zeros((5, 130)), r"MediaPipe's landmarks \(T, 33, 3 to 5\), but got \(5, 130\)"),
        (np.zeros((5, 33, 6)), r"but got \(5, 33, 6\)"),
        (np.zeros((5, 32, 4)), r"but got \(5, 32, 4\)"),
        (np.full((5, 33, 4), np.inf), "landmarks below 1e"),
        (np.full((5, 33, 4), "a"), "an array of numbers"),
    ],
)
def test_other_arrays_are_refused(tmp_path, values, message):
    np.save(tmp_path / "a.npy", values)
    for layout in (NTU25, COCO17, BLAZEPOSE33):
        with pytest.raises(UnreadableError, match=message):
            read_joints(tmp_path / "a.npy", layout)


def test_trajectories_are_not_read_from_landmarks(tmp_path):
    np.save(tmp_path / "a.npy", world())
    np.savez(tmp_path / "a.npz", p3=world(), p2=pixels()[..., :2], fps=30)
    write(tmp_path / "a.csv", table_text(world(), []))
    for layout in PATHS:
        for suffix in (".npy", ".npz", ".csv"):
            with pytest.raises(UnreadableError, match=f"a{suffix}"):
                read_joints(tmp_path / f"a{suffix}", layout)


HEADERS = {
    "x1": [f"{axis}{i}" for i in range(1, 34) for axis in "xyzv"],
    "x0": [f"{axis}{i}" for i in range(33) for axis in "xyzv"],
    "x_0": [f"{axis}_{i}" for i in range(33) for axis in ("x", "y", "z", "vis")],
    "0_x": [f"{i}_{axis}" for i in range(33) for axis in ("x", "y", "z", "visibility")],
    "landmark": [f"landmark_{i:02}_{axis}" for i in range(33) for axis in ("x", "y", "z", "visibility")],
    "lm": [f"lm{i}_{axis}" for i in range(33) for axis in "xyzv"],
    "enum": [f"{name}_{axis}" for name in ENUM for axis in ("X", "Y", "Z", "VISIBILITY")],
    "mixed case": [f"{name.lower()}_{axis}" for name in ENUM for axis in ("x", "Y", "Z", "visibility")],
    "documentation": [f"{name} {axis}" for name in MEDIAPIPE for axis in "xyzv"],
    "axis first": [f"{axis}_{name.lower()}" for name in ENUM for axis in "xyzv"],
    "camel case": [
        name.title().replace("_", "") + axis for name in ENUM for axis in ("X", "Y", "Z", "Visibility")
    ],
    "dots": [f"pose.{name.lower()}.{axis}" for name in ENUM for axis in "xyzv"],
    "ours": [f"{joint}_{axis}" for joint in BLAZEPOSE33.joints for axis in "xyzv"],
    "counted": [str(i) for i in range(132)],
}
HEADERS_XYZ = [f"{axis}{i}" for i in range(33) for axis in "xyz"]


@pytest.mark.parametrize("names", HEADERS.values(), ids=HEADERS)
def test_tables_with_names_as_people_write_them(tmp_path, names):
    file = write(tmp_path / "a.csv", table_text(with_scores(world()), names))
    read = read_joints(file, BLAZEPOSE33)
    np.testing.assert_allclose(read.joints, world() * TO_CAMERA, rtol=1e-6)
    assert read.times_s is None
    file = write(tmp_path / "i.csv", table_text(with_scores(pixels()), names))
    assert read_joints(file, MOVENET13).joints.shape == (6, 13, 2)


@pytest.mark.parametrize("num_scores", [0, 1, 2])
@pytest.mark.parametrize("end", ["", ",", ", "])
def test_tables_without_a_header(tmp_path, num_scores, end):
    body = with_scores(world(), num_scores)
    body[0] = np.nan
    text = table_text(body, []).replace("\n", f"{end}\n\n")  # blank lines are no frames
    read = read_joints(write(tmp_path / "a.csv", text), BLAZEPOSE33).joints
    assert np.isnan(read[0]).all()  # a frame of empty cells is one
    np.testing.assert_allclose(read[1:], world()[1:] * TO_CAMERA, rtol=1e-6)


def test_columns_may_have_any_order_and_others_are_ignored(tmp_path):
    names = HEADERS["x1"]
    order = np.random.default_rng(1).permutation(132)
    rows = [["clip", "frame", "class", *(names[i] for i in order), "score_x", ""]]
    for t, frame in enumerate(with_scores(world()).reshape(6, 132)):
        rows.append(["a.mp4", str(t), "fore,hand", *(str(frame[i]) for i in order), "?", ""])
    text = "\n".join(",".join(f'"{cell}"' if "," in cell else cell for cell in row) for row in rows)
    read = read_joints(write(tmp_path / "a.csv", text), BLAZEPOSE33)
    np.testing.assert_allclose(read.joints, world() * TO_CAMERA, rtol=1e-6)
    index = table_text(world(), [str(i) for i in range(99)], before=("", range(6)))  # as pandas writes it
    read = read_joints(write(tmp_path / "pandas.csv", index), BLAZEPOSE33)
    np.testing.assert_allclose(read.joints, world() * TO_CAMERA, rtol=1e-6)


def test_a_table_without_z_is_2d(tmp_path):
    names = [f"{name}_{axis}" for name in ENUM for axis in ("x", "y", "visibility")]
    text = table_text(with_scores(pixels()[..., :2]), names)
    read = read_joints(write(tmp_path / "a.csv", text), BLAZEPOSE33_2D)
    np.testing.assert_allclose(read.joints, pixels()[..., :2] * [1, -1], rtol=1e-6)
    with pytest.raises(UnreadableError, match="landmarks without z"):
        read_joints(tmp_path / "a.csv", NTU25)


@pytest.mark.parametrize(
    ("name", "scale"),
    [("time", 1), ("TIME_S", 1), ("timestamp", 1), ("timestamp_ms", 1000), ("time (s)", None), ("t", None)],
)
def test_times_come_from_their_column(tmp_path, name, scale):
    seconds = 12.5 + np.arange(6) / 25
    cells = (name, (seconds * (scale or 1)).round(6))
    for place in ({"before": cells}, {"after": cells}):
        file = write(tmp_path / "a.csv", table_text(world(), HEADERS_XYZ, **place))
        times_s = read_joints(file, NTU25).times_s
        if scale is None:
            assert times_s is None
        else:
            np.testing.assert_allclose(times_s, np.arange(6) / 25, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expected a joint file, but got an empty file"),
        (
            ",".join(HEADERS["x1"]) + "\n",
            "line 1: Expected a row for each frame after the header, but got none",
        ),
        (
            ",".join(["0.5"] * 130) + "\n",
            "line 1: Expected 34, 51, 99, 132 or 165 numbers.*, but got 130 cells",
        ),
        (",".join(["0.5"] * 99) + "\n" + ",".join(["0.5"] * 98), "line 2: Expected 99 cells .*, but got 98"),
        (
            ",".join(["0.5"] * 99) + "\n" + ",".join(["0.5"] * 100),
            "line 2: Expected 99 cells .*, but got 100",
        ),
        (",".join(["0.5"] * 99) + "\n" + ",".join(["inf"] * 99), "line 2: Expected 99 finite numbers below"),
        (",".join(["0.5"] * 99) + "\n" + ",".join(["a"] * 99), "line 2: Expected 99 numbers, but got 'a'"),
        ("forehand," + ",".join(["0.5"] * 99) + "\n", "line 1: Expected 34, 51, 99, 132 or 165 numbers"),
        (table_text(world(2), HEADERS_XYZ[:-3]), "line 1: Expected 33 landmarks, .* but got 32 from 0 to 31"),
        (table_text(world(2), [*HEADERS_XYZ[:-1], "y32"]), "each coordinate once, but got 'y32' and 'y32'"),
        (
            table_text(world(2), [*HEADERS_XYZ[:-1], "w32"]),
            "line 1: Expected a column z32, but got 99 others",
        ),
        (
            "\n" + table_text(world(2), [f"{name}_{axis}" for name in [*ENUM[:-1], "toe"] for axis in "xyz"]),
            "line 2: Expected a column right_foot_index_x",
        ),
        (
            ",".join(f"{axis}{i}" for i in range(1, 502) for axis in "xyzv") + "\n" + ",".join("1" * 2004),
            "line 1: Expected 33 landmarks, numbered from 0 or 1, but got 501 from 1 to 501",
        ),
        (
            table_text(world(2), HEADERS_XYZ, before=("time", [0.5, 0.5])),
            "line 3: Expected a number in column time, larger than in the row before, but got 0.5 after 0.5",
        ),
        (
            table_text(world(2), HEADERS_XYZ, before=("timestamp", ["12:01", "12:02"])),
            "line 2: Expected a number in column timestamp, .*, but got '12:01'",
        ),
        ('"' + "a\n" * 200_000, "Expected cells with commas between them, but got an error"),
    ],
)
def test_malformed_tables_are_refused_with_line_and_reason(tmp_path, text, message):
    with pytest.raises(UnreadableError, match=message):
        read_joints(write(tmp_path / "a.csv", text), NTU25)


def test_tables_in_another_encoding_are_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes(table_text(world(), HEADERS_XYZ).encode("utf-16"))
    with pytest.raises(UnreadableError, match="text in UTF-8"):
        read_joints(tmp_path / "a.csv", NTU25)
    with pytest.raises(UnreadableError, match="can't be read"):
        read_joints(tmp_path / "none.csv", NTU25)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_random_cuts_of_a_table_are_read_or_refused_with_its_name(tmp_path, data):
    text = data.draw(st.sampled_from([table_text(world(2), HEADERS_XYZ), table_text(world(2), [])]))
    start, end = sorted(data.draw(st.lists(st.integers(0, len(text)), min_size=2, max_size=2)))
    file = write(tmp_path / "a.csv", text[:start] + text[end:])
    try:
        assert read_joints(file, NTU25).joints.shape[1:] == (25, 3)
    except UnreadableError as error:
        assert str(file) in str(error)  # noqa: PT017 - one or the other


def test_archives_hold_both_kinds(tmp_path):
    parts = {"p3": world(), "p2": pixels()[..., :2], "v": np.ones((6, 33)), "fps": 29.97}
    np.savez(tmp_path / "a.npz", **parts)
    for layout in SPACE:
        read = read_joints(tmp_path / "a.npz", layout)
        np.testing.assert_allclose(read.joints[:, layout.index("left_knee")], world()[:, 25] * TO_CAMERA)
        np.testing.assert_allclose(read.times_s, np.arange(6) / 29.97)
    for layout in IMAGE:
        read = read_joints(tmp_path / "a.npz", layout)
        np.testing.assert_allclose(
            read.joints[:, layout.index("nose")], pixels()[:, 0, :2] * [1, -1], rtol=1e-6
        )
    for change, layout, message in (
        ({"p3": None}, NTU25, "Expected `p3` and `fps`, as files with MediaPipe's landmarks contain them"),
        ({"fps": None}, COCO17, "Expected `p2` and `fps`"),
        ({"fps": 0}, COCO17, "a positive `fps`"),
        ({"p3": np.zeros((0, 33, 3))}, NTU25, r"`p3` of shape \(T, 33, 3\), but got \(0, 33, 3\)"),
        ({"p3": world()[:, :25]}, NTU25, r"but got \(6, 25, 3\)"),
        ({"p3": world() * 1e10}, NTU25, "`p3` below 1e"),
        ({"p2": world()[..., :2]}, COCO17, "but got world landmarks"),
        ({"p3": fractions()}, NTU25, "but got fractions"),
    ):
        np.savez(tmp_path / "b.npz", **{k: v for k, v in (parts | change).items() if v is not None})
        with pytest.raises(UnreadableError, match=message):
            read_joints(tmp_path / "b.npz", layout)
    whole = (tmp_path / "a.npz").read_bytes()
    for size in (0, 100, len(whole) // 2, len(whole) - 10):
        (tmp_path / "cut.npz").write_bytes(whole[:size])
        with pytest.raises(UnreadableError, match=r"cut\.npz"):
            read_joints(tmp_path / "cut.npz", NTU25)


@pytest.mark.skipif(not REAL.is_dir(), reason="no real landmarks")
@pytest.mark.parametrize("layout", [*SPACE, *IMAGE], ids=lambda layout: layout.name)
def test_real_landmarks_in_all_formats(tmp_path, layout):
    files = sorted(REAL.glob("*.npz"))
    assert len(files) == 40
    for file in files:
        read = read_joints(file, layout)
        assert read.joints.shape[1:] == (len(layout.joints), layout.num_coordinates)
        up = read.joints[..., 1]
        assert (up[:, layout.index("left_shoulder")] > up[:, layout.index("left_knee")]).all()
    with np.load(files[0]) as values:
        landmarks = values["p3"] if layout in SPACE else np.dstack([values["p2"], values["p3"][..., 2] * 200])
        landmarks = np.dstack([landmarks, values["v"]])
    expected = read_joints(files[0], layout).joints
    np.save(tmp_path / "a.npy", landmarks.reshape(len(landmarks), 132))
    write(tmp_path / "a.csv", table_text(landmarks, HEADERS["enum"]))
    for name in ("a.npy", "a.csv"):
        np.testing.assert_allclose(read_joints(tmp_path / name, layout).joints, expected, rtol=1e-5)
