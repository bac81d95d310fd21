"""A match that a model of joints has analysed, once for all tests, and a browser for reports."""

import json

import pytest
from joint_match import film_strokes, read_back, train_on_joints

from tt_actions.main import main

CLASSES = ("serve", "forehand", "backhand", "smash")


@pytest.fixture(scope="session")
def joint_checkpoint(make_once):
    """A model of joints."""
    return make_once("joint_model", train_on_joints) / "runs/strokes/version_0/checkpoints/best.ckpt"


@pytest.fixture(scope="session")
def joint_film(make_once):
    """A folder with a video of four drawn strokes and the truth about it."""
    return make_once("joint_film", film_strokes)


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
    return folder, read_back(folder, joint_film / "match.mp4", CLASSES)


@pytest.fixture
def open_page(browser):
    """Opens a report; afterwards its console must be silent and nothing but its own files asked for."""
    contexts, said, asked, folders = [], [], [], []

    def open_report(folder, width=1280, **options):
        context = browser.new_context(viewport={"width": width, "height": 800}, **options)
        contexts.append(context)
        folders.append(folder)
        page = context.new_page()
        page.set_default_timeout(8000)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto((folder / "report.html").as_uri())
        return page

    yield open_report
    for context in contexts:
        context.close()
    assert [text for text in said if "ERR_FILE_NOT_FOUND" not in text] == []  # the video that is gone
    allowed = {(folder / name).as_uri() for folder in folders for name in ("report.html", "annotated.mp4")}
    assert {url for url in asked if not url.startswith(("blob:", "data:"))} <= allowed
