import hashlib
import subprocess
import sys
import zipfile

import pytest

from tt_actions.errors import UserError
from tt_actions.main import main
from tt_actions.pose import weights
from tt_actions.pose.weights import DIGESTS, fetch_weights, find_weights, weights_folder


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder of the user."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tt_actions" / "pose"


@pytest.fixture
def networks(monkeypatch):
    """Two files that stand for the networks, by name; their digests are the expected ones."""
    content = {name: name.encode() for name in DIGESTS}
    monkeypatch.setattr(
        weights, "DIGESTS", {name: hashlib.sha256(data).hexdigest() for name, data in content.items()}
    )
    return content


def wheel(path, content):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(f"mediapipe/modules/{name}", data)
        archive.writestr("mediapipe/__init__.py", "raise SystemExit")
    return path


def test_a_wheel_or_a_folder_can_be_brought_by_hand(cache, networks, tmp_path):
    assert weights_folder() == cache
    assert fetch_weights(wheel(tmp_path / "a.whl", networks)) == cache
    assert {path.name for path in cache.iterdir()} - {".lock"} == set(networks)
    assert [path.read_bytes() for path in find_weights()] == list(networks.values())
    for name, data in networks.items():
        (tmp_path / name).write_bytes(data)
    (cache / "pose_detection.tflite").unlink()
    main(["pose", "fetch", "--from", str(tmp_path)])
    assert [path.read_bytes() for path in find_weights()] == list(networks.values())


@pytest.mark.parametrize("problem", ["other", "incomplete", "no wheel", "absent"])
def test_what_is_not_the_model_is_refused_and_nothing_is_written(cache, networks, tmp_path, problem):
    source = tmp_path / "source.whl"
    if problem == "other":
        wheel(source, networks | {"pose_landmark_full.tflite": b"other"})
    elif problem == "incomplete":
        wheel(source, {"pose_detection.tflite": networks["pose_detection.tflite"]})
    elif problem == "no wheel":
        source.write_text("a web page")
    with pytest.raises((UserError, FileNotFoundError), match=r"^Expected .*source\.whl'"):
        fetch_weights(source)
    assert not list(cache.glob("*.tflite"))


def test_a_damaged_network_is_not_used(cache, networks, tmp_path):
    fetch_weights(wheel(tmp_path / "a.whl", networks))
    (cache / "pose_detection.tflite").write_bytes(b"damaged")
    with pytest.raises(UserError, match=r"but it differs\. Run `tt-actions pose fetch`"):
        find_weights()
    main(["pose", "fetch", "--from", str(tmp_path / "a.whl")])
    assert find_weights().detector.read_bytes() == networks["pose_detection.tflite"]


def test_without_network_one_line_says_what_to_do(cache, monkeypatch):
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_RETRIES", "0")
    for name in ("PIP_FIND_LINKS", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    end = subprocess.run(
        [sys.executable, "-m", "tt_actions.main", "pose", "fetch"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert end.returncode == 1
    assert "error: Expected to download mediapipe==0.10.21 with pip, but got: " in end.stderr.splitlines()[-1]
    assert "`tt-actions pose fetch --from WHEEL`" in end.stderr.splitlines()[-1]
    assert not list(cache.glob("*.tflite"))
