"""The names of options that are read from the source code, against the classes, and what is left to later."""

import inspect

import pytest

import tt_actions.models
import tt_actions.sources
from tt_actions.clips import preprocessing
from tt_actions.clips.specs import InputSpec
from tt_actions.errors import UserError
from tt_actions.models.base import ActionModel
from tt_actions.training import augmentation, joint_augmentation
from tt_actions.training.augmentation import ClipAugmentation
from tt_actions.training.command import _check_arguments
from tt_actions.training.option_names import arguments_of, chosen_class


@pytest.mark.parametrize(
    ("part", "modules", "base"),
    [
        ("model.network", [tt_actions.models], ActionModel),
        ("model.augmentation", [augmentation, joint_augmentation], ClipAugmentation),
        ("data.source", [tt_actions.sources], object),
        ("data.preprocessing", [preprocessing], InputSpec),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_arguments_read_from_the_source_code_are_those_of_the_classes(part, modules, base):
    found = 0
    for kind in (kind for module in modules for kind in vars(module).values()):
        if isinstance(kind, type) and issubclass(kind, base) and not inspect.isabstract(kind):
            names = arguments_of(part, kind.__name__)
            assert not names or list(names) == list(inspect.signature(kind).parameters), kind
            found += bool(names)
    assert found >= 2
    assert arguments_of(part, "Elsewhere") == ()


def test_the_class_that_an_option_chooses_is_the_last_one_given():
    contents = [
        {"model": {"network": "LSTM"}},
        {"model": {"network": {"class_path": "tt_actions.models.CNN"}}},
    ]
    assert chosen_class("model.network", [], contents) == "CNN"
    assert chosen_class("model.network", ["--model.network", "C3D"], contents) == "C3D"
    assert chosen_class("model.network", ["--model.network.class_path=own.Net"], contents) is None
    assert chosen_class("model.network", [], [{"model": None}]) is None


def test_only_what_is_known_without_imports_is_refused_before_them(tmp_path):
    """A class of another package, arguments that the data set, and lists and dictionaries go on."""
    config = tmp_path / "own.yaml"
    config.write_text("model:\n  network:\n    class_path: own_package.Net\n")
    _check_arguments("train", ["--config", str(config), "--model.network.depth", "3"], None, False)
    config.write_text("model:\n  network:\n    class_path: CNN\ndata: {source: UserClips}\n")
    words = ["--config", str(config), "--model.network.init_args.num_classes", "3"]
    words += [
        "--model.network.channels+=4",
        "--data.preprocessing.layout",
        "ntu25",
        "--data.source.path",
        "x",
    ]
    _check_arguments("train", words, None, False)
    _check_arguments("train", ["--config", str(config), "--data.source.clips", "3"], None, True)
    with pytest.raises(UserError, match=r"`UserClips` has, but got `data.source.clips`\. It has path"):
        _check_arguments("train", ["--config", str(config), "--data.source.clips", "3"], None, False)
