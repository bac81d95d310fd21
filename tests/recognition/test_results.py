import csv
import io
import json
import os
import pty
import subprocess
import sys
import termios
from contextlib import suppress
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from tt_actions.clips.manifest import read_manifest
from tt_actions.clips.strokes import Stroke
from tt_actions.errors import UserError
from tt_actions.recognition.analysis import MatchAnalysis
from tt_actions.recognition.loading import load
from tt_actions.recognition.stored_analysis import read_analysis
from tt_actions.video.frames import read_frames
from tt_actions.video.info import probe


@pytest.fixture(scope="module")
def model(trained):
    return load(trained / "checkpoints" / "best.ckpt")


@pytest.fixture(scope="module")
def clip(strokes):
    return read_manifest(strokes)[0]


@pytest.fixture
def prediction(model, clip):
    return model.predict(clip.path, roi=clip.roi)


@pytest.fixture
def analysis(tmp_path):
    strokes = (
        Stroke("serve", 1, 2, 1.5, 0.9, "left"),
        Stroke("smash", 3, 4, None, 0.4, "right"),
        Stroke("smash", 5, 6, 5.5, 0.8, "left"),
    )
    times_s = np.arange(0, 62, 0.5)
    probabilities = np.full((2, len(times_s), 2), 0.5, np.float32)
    return MatchAnalysis(
        tmp_path / "final.mp4",
        62.0,
        ("serve", "smash"),
        ("left", "right"),
        strokes,
        ("serve", "smash"),
        times_s,
        probabilities,
        ("The light is dim.",),
    )


def drawn(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def test_several_clips_are_predicted_as_each_alone(model, strokes, capsys):
    clips = read_manifest(strokes)[:3]
    together = model.predict([clip.path for clip in clips], roi=(0, 0, 80, 120))
    alone = [model.predict(str(clip.path), roi=(0, 0, 80, 120)) for clip in clips]
    assert [one.probabilities for one in together] == [one.probabilities for one in alone]
    assert capsys.readouterr().err == ""  # no bar where nobody sees it


def test_an_array_of_frames_is_predicted_as_its_video(model, clip, prediction):
    fps = probe(clip.path).fps
    frames = read_frames(clip.path).values
    found = model.predict(frames, roi=clip.roi, fps=fps)
    assert found.probabilities == pytest.approx(prediction.probabilities, abs=0.01)
    assert found.times_s == pytest.approx(prediction.times_s)
    part = model.predict(frames, 0.25, 1.0, clip.roi, fps=fps)
    assert part.probabilities == pytest.approx(
        model.predict(clip.path, 0.25, 1.0, clip.roi).probabilities, abs=0.01
    )


@pytest.mark.parametrize(
    ("array", "options", "message"),
    [
        (
            np.zeros((4, 8, 8, 3), np.uint8),
            {},
            "Expected `fps`, the frames per second of the array, but got None",
        ),
        (
            np.zeros((4, 8, 8, 3), np.float32),
            {"fps": 10},
            r"Expected RGB frames \(T, H, W, 3\) as uint8, but got float32",
        ),
        (np.zeros((4, 8, 8), np.uint8), {"fps": 10}, r"but got uint8 \(4, 8, 8\)"),
        (np.zeros((0, 8, 8, 3), np.uint8), {"fps": 10}, r"but got uint8 \(0, 8, 8, 3\)"),
        (np.zeros((4, 8, 8, 3), np.uint8), {"fps": 10, "hand": "both"}, "Expected `hand` of 'the array'"),
        ("a.mp4", {"fps": 10}, "Expected no `fps` with a file"),
    ],
)
def test_an_array_that_is_no_clip_is_refused(model, array, options, message):
    with pytest.raises(UserError, match=message):
        model.predict(array, **options)


def test_an_array_of_joints_is_predicted_as_its_file(joint_checkpoint, joint_film):
    model = load(joint_checkpoint)
    spec = model.preprocessing
    landmarks = spec.source(joint_film / "match.mp4").read(joint_film / "match.mp4", 0.0, 1.5).values
    joints = spec.convert_landmarks(landmarks, joint_film / "match.mp4")
    found = model.predict(joints, fps=spec.fps)
    expected = model.predict(joint_film / "match.mp4", 0.0, 1.5)
    assert found.probabilities == pytest.approx(expected.probabilities, abs=1e-4)
    with pytest.raises(UserError, match=r"Expected joints \(T, 25, 3\) of `layout` ntu25 from 0 s"):
        model.predict(joints[:, :4], fps=30)


def test_results_are_readable_in_a_line(prediction, analysis):
    first, second = sorted(prediction.probabilities, key=prediction.probabilities.get)[:-3:-1]
    assert repr(prediction).startswith(
        f"ClipPrediction('{first}' {prediction.probabilities[first]:.2f}, '{second}' "
    )
    start_s, *_, end_s = prediction.times_s
    assert repr(prediction).endswith(f", ...; 4 frames, {start_s:.2f} to {end_s:.2f} s)")
    expected = "MatchAnalysis('final.mp4', 62.0 s; 3 strokes: smash 2, serve 1; left, right; 1 remark)"
    assert repr(analysis) == expected


def test_a_notebook_shows_pictures(prediction, analysis):
    for result in (prediction, analysis):
        image = drawn(result._repr_png_())
        assert image.shape[1] > 600
        assert (drawn(result.plot()._repr_png_()) == image).all()
    colours = {tuple(colour) for colour in image.reshape(-1, 3)}
    assert {(0, 114, 178), (230, 159, 0)} <= colours  # serve and smash


def test_the_timeline_says_what_was_found(analysis):
    axes = analysis.plot().axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["left", "right"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["smash 2", "serve 1"]
    assert axes.get_title(loc="left") == "final.mp4: 3 strokes"
    assert axes.get_xlim() == (0, 62)


def test_the_curves_are_those_of_the_frames(prediction):
    axes = prediction.plot().axes[0]
    lines = {line.get_label().rpartition(" ")[0]: line for line in axes.lines}
    for index, name in enumerate(prediction.probabilities):
        assert lines[name].get_xdata() == pytest.approx(prediction.times_s)
        assert lines[name].get_ydata() == pytest.approx(prediction.frame_probabilities[:, index])
    assert max(axes.lines, key=lambda line: line.get_linewidth()) is lines[prediction.label]


def test_a_prediction_is_saved(prediction, tmp_path):
    for name in ("p.json", "p.csv", "p.png", "p.svg", "p.pdf"):
        prediction.save(tmp_path / name)
    document = json.loads((tmp_path / "p.json").read_text("utf-8"))
    assert document["label"] == prediction.label
    assert document["probabilities"] == prediction.probabilities
    with (tmp_path / "p.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["time_s"]) for row in rows] == prediction.times_s.tolist()
    assert [float(row["p_smash"]) for row in rows] == pytest.approx(document["frames"]["p_smash"])
    assert (tmp_path / "p.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(UserError, match=r"Expected `path` with one of the suffixes \.json"):
        prediction.save(tmp_path / "p.xlsx")


def test_an_analysis_is_saved_and_read_back(analysis, tmp_path):
    analysis.save(tmp_path / "out")
    assert read_analysis(tmp_path / "out", analysis.video).strokes == analysis.strokes
    analysis.save(tmp_path / "timeline.png")
    analysis.save(tmp_path / "strokes.csv")
    assert (tmp_path / "strokes.csv").read_text() == (tmp_path / "out" / "strokes.csv").read_text()
    assert drawn((tmp_path / "timeline.png").read_bytes()).shape[1] > 600


@pytest.mark.skipif(find_spec("pandas") is not None, reason="pandas is installed")
def test_without_pandas_its_tables_say_what_to_install(prediction, analysis):
    for result in (prediction, analysis):
        with pytest.raises(UserError, match=r"Expected pandas .* `pip install pandas`"):
            result.to_pandas()


def test_tables_of_pandas_hold_frames_and_strokes(prediction, analysis):
    pytest.importorskip("pandas", reason="pandas is not installed")
    table = prediction.to_pandas()
    assert list(table.columns) == ["time_s", *(f"p_{name}" for name in prediction.probabilities)]
    assert table["p_smash"].tolist() == prediction.frame_probabilities[:, -1].tolist()
    assert analysis.to_pandas()["label"].tolist() == ["serve", "smash", "smash"]


USE = """
import sys
import tt_actions
model = tt_actions.load(sys.argv[1])
result = model.predict(sys.argv[2], roi=(0, 0, 80, 120))
repr(result)
print([name for name in ("matplotlib", "pandas") if name in sys.modules])
model.predict([sys.argv[2]] * 3, roi=(0, 0, 80, 120))
model.analyze(sys.argv[2], players=["all"])
"""


def test_drawing_loads_only_when_asked_for_and_a_terminal_shows_a_bar(trained, clip):
    words = [sys.executable, "-c", USE, str(trained / "checkpoints" / "best.ckpt"), str(clip.path)]
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=theirs, text=True)
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # the end of a terminal that is closed
        while part := os.read(ours, 4096):
            shown += part
    os.close(ours)
    assert process.communicate()[0] == "[]\n"
    assert b"naming strokes: " in shown
    assert b"finding strokes: " in shown
    quiet = subprocess.run(words, capture_output=True, text=True, check=True)
    assert quiet.stderr == ""


def test_a_notebook_shows_a_bar_and_the_pictures(trained, clip):
    nbformat, nbclient = (pytest.importorskip(name) for name in ("nbformat", "nbclient"))
    checkpoint, video = trained / "checkpoints" / "best.ckpt", str(clip.path)
    cells = [
        f"import tt_actions\nmodel = tt_actions.load({str(checkpoint)!r})",
        f"model.predict([{video!r}] * 3, roi=(0, 0, 80, 120))[0]",
        f"model.predict({video!r}, roi=(0, 0, 80, 120)).plot()",
        f"model.analyze({video!r}, players=['all'])",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, timeout=120).execute()
    for cell in notebook.cells[1:]:
        pictures = [part for part in cell.outputs if "image/png" in part.get("data", {})]
        assert len(pictures) == 1
    written = [
        "".join(part.text for part in cell.outputs if part.output_type == "stream") for cell in notebook.cells
    ]
    assert "naming strokes: " in written[1]
    assert "finding strokes: " in written[3]
    assert "Warning" not in "".join(written)
