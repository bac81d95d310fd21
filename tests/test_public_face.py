import os
import subprocess
import sys
from importlib.resources import files

import pytest

import tt_actions

TYPED = """
import tt_actions

model = tt_actions.load("x")
reveal_type(model)
reveal_type(model.predict("y").label)
reveal_type(tt_actions.analyze(model, "z").strokes)
reveal_type(tt_actions.explain(model, "y"))
reveal_type(tt_actions.VideoError("no"))
"""

REVEALED = [
    "tt_actions.recognition.recognizer.Recognizer",
    "str",
    "tuple[tt_actions.clips.strokes.Stroke, ...]",
    "tt_actions.evaluation.explanation.Explanation",
    "tt_actions.errors.VideoError",
]


@pytest.mark.parametrize("name", tt_actions.__all__)
def test_every_public_name_is_there(name):
    assert callable(getattr(tt_actions, name))
    assert name in dir(tt_actions)


def test_another_name_is_refused():
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = tt_actions.nothing


def test_the_package_is_imported_without_pytorch():
    code = "import sys, tt_actions; tt_actions.UserError; print('torch' in sys.modules)"
    end = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert end.stdout.strip() == "False"


SETTINGS = """
[mypy]
strict = True
follow_imports = skip
[mypy-tt_actions.*]
follow_imports = silent
"""
"""Other packages are not read, which takes most of the time and tells nothing of our names."""


def test_a_type_checker_knows_the_public_names(tmp_path):
    assert files("tt_actions").joinpath("py.typed").is_file()
    (tmp_path / "typed.py").write_text(TYPED)
    (tmp_path / "mypy.ini").write_text(SETTINGS)
    command = [sys.executable, "-m", "mypy", "typed.py"]
    environment = os.environ | {"MYPYPATH": str(files("tt_actions").joinpath(".."))}
    end = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    revealed = [line.split('"')[1] for line in end.stdout.splitlines() if "Revealed type" in line]
    assert [kind.replace("builtins.", "") for kind in revealed] == REVEALED, end.stdout + end.stderr
