"""A match that a model of joints has analysed, once for all tests, and a browser for reports."""

import json

import pytest

from tt_actions.main import main
from tt_actions.recognition.stored_analysis import read_analysis

CLASSES = ("serve", "forehand", "backhand", "smash")


@pytest.fixture(scope="session")
def joint_results(make_once, joint_checkpoint, joint_film):
    """The result folder of that video, and the analysis as its files tell it."""

    def analyse(folder):
        words = [str(joint_film / "match.mp4"), "--checkpoint", str(joint_checkpoint)]
        with pytest.raises(SystemExit) as end:
            main(["analyze", *words, "--out", str(folder / "out")])
        assert end.value.code == 0

    folder = make_once("joint_results", analyse) / "out"
    assert json.loads((folder / "strokes.json").read_text("utf-8"))["class_names"] == list(CLASSES)
    return folder, read_analysis(folder, joint_film / "match.mp4")


@pytest.fixture
def open_page(visits):
    """Opens a report; afterwards its console must be silent and nothing but its own files asked for."""
    yield lambda folder, **options: visits.open((folder / "report.html").as_uri(), **options)
    visits.close()
    assert [text for text in visits.said if "ERR_FILE_NOT_FOUND" not in text] == []  # the video that is gone
    videos = {url.replace("report.html", "annotated.mp4") for url in visits.urls}
    assert {url for url in visits.asked if not url.startswith(("blob:", "data:"))} <= {*visits.urls, *videos}
