"""The clips, the training and the processes that several test files use."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock
from joint_match import film_strokes, train_on_joints

from tt_actions.main import main
from tt_actions.sources import SyntheticRallies
from tt_actions.sources.synthetic.generate import synthesize

# Before torch is loaded, and for started processes too: threads that wait for each other make the smallest of
# trainings ten times slower where the cores are busy. The tests of tracking set their own mode.
os.environ |= {"OMP_NUM_THREADS": "1", "WANDB_MODE": "disabled"}

# A shell starts what runs behind `&` with Ctrl-C ignored, and so would be what the tests start and stop.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers():
    """One process more than there are cores: a sixth of the time, a test waits for processes or browsers."""
    return (os.cpu_count() or 1) + 1


CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
"""What keeps Chromium from asking for anything outside."""


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


class Visits:
    """Pages opened in the browser, what their consoles said, and what they asked for.

    Args:
        browser: The browser.
    """

    def __init__(self, browser):
        self.browser = browser
        self.contexts, self.urls, self.said, self.asked = [], [], [], []

    def open(self, url, width=1280, **options):
        """Open a page in a window of its own."""
        context = self.browser.new_context(viewport={"width": width, "height": 800}, **options)
        self.contexts.append(context)
        self.urls.append(url)
        page = context.new_page()
        page.set_default_timeout(8000)
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.goto(url)
        return page

    def close(self):
        """Close all windows."""
        for context in self.contexts:
            context.close()


@pytest.fixture
def visits(browser):
    return Visits(browser)


@pytest.fixture(scope="session")
def make_once(tmp_path_factory):
    """Make a folder that all workers of the session use: the first that needs it fills it."""

    def make(name, fill):
        base = tmp_path_factory.getbasetemp()
        folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
        made = folder.with_suffix(".made")
        with FileLock(folder.with_suffix(".lock")):
            if not made.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a worker that failed
                folder.mkdir()
                fill(folder)
                made.touch()
        return folder

    return make


@pytest.fixture(scope="session")
def strokes(make_once):
    """The manifest of 24 drawn clips: six players by four strokes."""
    folder = make_once("strokes", lambda out: synthesize(out, 24, 6, size=(160, 120), num_workers=1))
    return folder / "manifest.csv"


@pytest.fixture(scope="session")
def cache_dir(make_once):
    """One folder of decoded frames for all tests."""
    return make_once("cache", lambda _: None)


@pytest.fixture(scope="session")
def tiny(strokes, cache_dir):
    """Options of a training on the drawn clips that takes about a second."""
    options = {
        "config": Path(__file__).with_name("tiny.yaml"),
        "experiment": "tiny",
        "data.source.path": strokes,
        "data.cache_dir": cache_dir,
        "data.preprocessing.size": [16, 16],
        "data.preprocessing.num_frames": 4,
        "data.batch_size": 3,
        "model.network.channels": [4, 4, 4],
        "model.network.grid": [4, 4],
        "model.network.feature_size": 16,
        "model.network.hidden_size": 16,
        "trainer.max_epochs": 6,
        "trainer.accelerator": "cpu",
        "trainer.enable_model_summary": False,
    }
    return [word for key, value in options.items() for word in (f"--{key}", str(value))]


@pytest.fixture(scope="session")
def trained(tiny, make_once):
    """The run directory of a training that nothing disturbed."""
    runs = make_once("runs", lambda runs: main(["train", *tiny, "--runs", str(runs)]))
    return runs / "tiny" / "version_0"


@pytest.fixture(scope="session")
def posed_clips(make_once):
    """A folder of 12 drawn clips in one subfolder per stroke, large enough for the pose model."""

    def fill(out):
        synthesize(out / "drawn", 12, 3, size=(320, 240), num_workers=1)
        for video in (out / "drawn").rglob("*.mp4"):
            folder = out / "clips" / video.parent.name
            folder.mkdir(parents=True, exist_ok=True)
            video.rename(folder / video.name)

    return make_once("posed_clips", fill) / "clips"


@pytest.fixture(scope="session")
def posed_run(posed_clips, make_once):
    """The run directory of experiments/strokes.yaml, trained on the joints in these clips."""
    config = Path(__file__).parents[1] / "experiments" / "strokes.yaml"
    words = ["train", "--config", str(config), "--data", str(posed_clips)]
    cache = ["--data.cache_dir", str(posed_clips.parent / "joints")]
    runs = make_once("posed_runs", lambda runs: main([*words, *cache, "--runs", str(runs)]))
    return runs / "strokes" / "version_0"


@pytest.fixture(scope="session")
def posed_cache(posed_run, posed_clips):
    """The folder of the joints that were found in these clips."""
    assert posed_run.is_dir()
    return posed_clips.parent / "joints"


@pytest.fixture(scope="session")
def rallies(make_once):
    """Five drawn rallies of eight seconds as a source of recordings, some of two players."""

    def source(folder):
        return SyntheticRallies(folder, rallies=5, seconds=8.0, players=40, halls=1, seed=9, size=(160, 120))

    return source(make_once("rallies", lambda folder: source(folder).prepare()))


@pytest.fixture(scope="session")
def tiny_rally(rallies, cache_dir):
    """Options of a training on the drawn rallies that takes some seconds."""
    names = ("out", "rallies", "seconds", "players", "halls", "seed")
    options = {
        **{f"data.source.{name}": getattr(rallies, name) for name in names},
        "data.source.size": list(rallies.size),
        "data.cache_dir": cache_dir,
        "data.preprocessing.fps": 10,
        "data.preprocessing.size": [16, 16],
        "data.preprocessing.num_frames": 20,
        "data.val_share": 0.2,
        "data.test_share": 0.2,
        "trainer.max_epochs": 1,
        "trainer.accelerator": "cpu",
    }
    return [f"--{key}={value}" for key, value in options.items()]


@pytest.fixture(scope="session")
def rally_run(tiny_rally, make_once):
    """The run directory of such a training."""
    config = Path(__file__).parents[1] / "experiments" / "rally_cnn_lstm.yaml"
    words = ["train", "--config", str(config), *tiny_rally]
    runs = make_once("rally_runs", lambda runs: main([*words, "--runs", str(runs)]))
    return runs / "rally_cnn_lstm" / "version_0"


@pytest.fixture(scope="session")
def joint_checkpoint(make_once):
    """A model of joints."""
    return make_once("joint_model", train_on_joints) / "runs/strokes/version_0/checkpoints/best.ckpt"


@pytest.fixture(scope="session")
def joint_film(make_once):
    """A folder with a video of four drawn strokes and the truth about it."""
    return make_once("joint_film", film_strokes)


@pytest.fixture
def start():
    """Start the command line as a process of its own; it is ended with the test."""
    processes = []

    def start_process(*args, **environment):
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "tt_actions.main", *map(str, args)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | environment,
        )
        processes.append(process)
        return process

    yield start_process
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()
