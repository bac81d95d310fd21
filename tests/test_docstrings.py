"""Every public docstring tells its arguments, shapes and errors."""

import ast
import dataclasses
import importlib
import inspect
import pkgutil
import re
import textwrap

import pytest

import tt_actions

CONSTRUCTORS = ("__init__", "__post_init__")


def is_ours(thing):
    return (getattr(thing, "__module__", None) or "").startswith("tt_actions")


def find_modules():
    names = [module.name for module in pkgutil.walk_packages(tt_actions.__path__, "tt_actions.")]
    return [tt_actions, *(importlib.import_module(name) for name in names if not name.endswith("__main__"))]


def find_members(owner):
    """The public classes and functions that a module or class itself defines, unwrapped."""
    for name, member in vars(owner).items():
        inner = (
            getattr(member, "__func__", None)
            or getattr(member, "fget", None)
            or getattr(member, "func", None)
        )
        thing = inspect.unwrap(inner or member) if is_ours(inner or member) else None
        generated = inspect.isfunction(thing) and thing.__code__.co_filename == "<string>"  # by dataclass
        here = getattr(thing, "__module__", None) == getattr(owner, "__module__", owner.__name__)
        public = not name.startswith("_") or name in CONSTRUCTORS
        if public and here and not generated and (inspect.isfunction(thing) or inspect.isclass(thing)):
            yield thing


MODULES = find_modules()
CLASSES = [thing for module in MODULES for thing in find_members(module) if inspect.isclass(thing)]
METHODS = [
    (method, owner) for owner in CLASSES for method in find_members(owner) if inspect.isfunction(method)
]
FUNCTIONS = [
    (thing, None) for module in MODULES for thing in find_members(module) if inspect.isfunction(thing)
]


def documentation(function, owner):
    """All that is written of a function: its own words, its base classes', and a constructor's class."""
    if owner is None:
        return function.__doc__ or ""
    classes = [base for base in owner.__mro__ if is_ours(base)]
    documented = [vars(base).get(function.__name__) for base in classes]
    if function.__name__ in (*CONSTRUCTORS, "forward"):
        documented += classes
    return "\n".join(thing.__doc__ or "" for thing in documented)


def unnamed(names, text):
    """The names that no line of a docstring's list of arguments explains."""
    return [name for name in names if not re.search(rf"^ +\*{{0,2}}{name}:", text, re.MULTILINE)]


def is_hook(function, owner):
    """Whether a library calls the method by its own signature, and documents it."""
    theirs = [base for base in owner.__mro__ if not is_ours(base)] if owner else []
    overrides = any(function.__name__ in vars(base) for base in theirs)
    return overrides and function.__name__ not in (*CONSTRUCTORS, "forward")


def raises(function):
    """Whether the function raises something itself, leaving out the functions inside it."""
    nodes = list(ast.parse(textwrap.dedent(inspect.getsource(function))).body[0].body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Raise) and node.exc is not None:
            return True
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            nodes += ast.iter_child_nodes(node)
    return False


@pytest.mark.parametrize("thing", [*MODULES, *CLASSES], ids=lambda thing: thing.__name__)
def test_modules_and_classes_say_what_they_are(thing):
    assert "__doc__" in vars(thing)
    assert thing.__doc__
    if dataclasses.is_dataclass(thing):
        text = "".join(base.__doc__ or "" for base in thing.__mro__ if is_ours(base))
        assert not unnamed([field.name for field in dataclasses.fields(thing) if field.init], text)


@pytest.mark.parametrize(
    ("function", "owner"),
    [pytest.param(*pair, id=f"{pair[0].__module__}.{pair[0].__qualname__}") for pair in FUNCTIONS + METHODS],
)
def test_functions_tell_arguments_shapes_and_errors(function, owner):
    text = documentation(function, owner)
    assert text.strip()
    if not is_hook(function, owner):
        names = [name for name in inspect.signature(function).parameters if name not in ("self", "cls")]
        assert not unnamed(names, text.partition("Args:")[2])
    if function.__name__ == "forward":
        assert re.search(r"^ *Shape:", text, re.MULTILINE)
    if raises(function):
        assert re.search(r"^ *Raises:", text, re.MULTILINE)
