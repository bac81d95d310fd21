"""What is wrong with an option of an experiment, in one sentence of plain words."""

import difflib
import inspect
import re
from importlib import import_module

from tt_actions.class_paths import refused_import
from tt_actions.errors import describe_type, describe_unknown_of
from tt_actions.training.option_names import LINKS

OTHER_KINDS = (
    "does not correspond to a subclass",
    "Not a valid subclass",
    "Expected a <class 'NoneType'>",
    "Expected a path but",
    "Does not validate against",
    "a class path (str)",
    "a dict with",
)
"""What jsonargparse says of the kinds of value that the user did not mean."""

KIND = re.compile(r"Expected an? (<class '[\w.]+'>|typing\.Literal\[.*?\]|tuple with \d+ elements)")
NO_CLASS = re.compile(r"Expected a dot import path string: ([^.\s]+)")
NO_MODULE = re.compile(r"No module named '([\w.]+)'")
OF_CLASS = re.compile(r"Problem with given class_path '([\w.]+)': ?")
NOT_ACCEPTED = re.compile(r"Option '([\w.]+)' is not accepted")
OF_A_PART = re.compile(r"Expected `([\w.]+)` to be .*? but got (?:'.*?'|\[.*?\]|\{.*?\})")


def in_one_line(message: str, classes: tuple[str, ...] = ()) -> str:
    r"""Turn a message of jsonargparse into one sentence: what is expected of which option, and what came.

    Args:
        message: The message.
        classes: Names of classes that may be meant by the name of an unknown one.

    >>> in_one_line("Parser key \"fps\": Expected a <class 'int'>. Got value: x")
    "Expected `fps` to be a whole number, but got 'x'"
    """
    line = " ".join(relevant_error(message).split())
    found = re.search(r'Parser key "([\w.]+)"', message)
    if "was not imported" in line or found is None:
        return line.rstrip(".")
    key = found[1]
    line = re.sub(r'Parser key "[\w.]+": ?', "", line).rstrip(".")
    if part := OF_A_PART.search(line):
        return part[0].replace(f"`{part[1]}`", f"`{key}.{part[1]}`")
    owner = OF_CLASS.search(line)
    if owner and (option := NOT_ACCEPTED.search(line)):
        return _unknown_option(key, option[1], owner[1])
    value = re.search(r"Got value: (.*)", line) or re.search(r"Given value: (.*)", message)
    given = "" if value is None else value[1]
    if wanted := _wanted(KIND.findall(message)):
        return f"Expected `{key}` to be {wanted}, but got {_quoted(given)}"
    if unknown := NO_CLASS.search(line) or NO_MODULE.search(line):
        return _unknown_class(key, unknown, classes)
    given = f", but got {given}" if given and given not in line and "NestedArg" not in given else ""
    return f"`{key}`: {OF_CLASS.sub('', line)}{given}"


def _wanted(kinds: list[str]) -> str:
    """Describe several types; the choices of several lists become one list."""
    own = list(dict.fromkeys(kind for kind in kinds if "NoneType" not in kind))
    lists = [kind.removeprefix("typing.Literal[").removesuffix("]") for kind in own if "Literal" in kind]
    others = [kind for kind in own if "Literal" not in kind]
    merged = [f"typing.Literal[{', '.join(lists)}]"] if lists else []
    return " or ".join(map(describe_type, [*others, *merged]))


def _quoted(value: str) -> str:
    return value if value[:1] in ("[", "{", "'") else f"'{value}'"


def _unknown_option(key: str, option: str, class_path: str) -> str:
    """Describe an option that a class does not have, with those that it has."""
    module, _, name = class_path.rpartition(".")
    linked = {of_model.rpartition(".")[2] for _, of_model in LINKS} if key.startswith("model.") else set()
    parameters = inspect.signature(getattr(import_module(module), name)).parameters
    own = [parameter for parameter in parameters if parameter not in linked]
    return describe_unknown_of(name, key, option, own)


def _unknown_class(key: str, unknown: re.Match[str], classes: tuple[str, ...]) -> str:
    if unknown.re is NO_MODULE:
        return (
            f"Expected Python to find the package '{unknown[1]}' of `{key}`, but it does not. Put its folder "
            "into PYTHONPATH, or install it"
        )
    nearest = difflib.get_close_matches(unknown[1], classes, n=1, cutoff=0.7)
    meant = f". Did you mean `{nearest[0]}`?" if nearest else ""
    return f"Expected `{key}` to be the import path of a class, but got '{unknown[1]}'{meant}"


def relevant_error(message: str) -> str:
    r"""Reduce jsonargparse's message about a class option to the errors of the class that the user chose.

    Args:
        message: jsonargparse's message: all classes, the error with each of them, and the value.

    >>> lines = ["Does not validate against any of the Union subtypes"]
    >>> lines += ["Subtypes: [<class 'tt_actions.A'>, <class 'tt_actions.B'>]", "Errors:"]
    >>> lines += ["  - A does not correspond to a subclass of B", "  - Expected c.", "Given value: x"]
    >>> relevant_error("\n".join(lines))
    'Expected c.'
    """
    refused = refused_import(message)
    if refused is not None:
        return refused
    reasons = re.split(r"^ *- ", message.split("Given value", maxsplit=1)[0], flags=re.MULTILINE)[1:]
    own = [reason.strip() for reason in reasons if not any(other in reason for other in OTHER_KINDS)]
    return "\n".join(dict.fromkeys(own)) if own and "Union subtypes" in message else message
