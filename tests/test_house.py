"""The house rules that a machine can hold: sizes, thin faces, the order of the rooms, nothing swallowed."""

import ast
from pathlib import Path
from statistics import median

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tt_actions"
FILES = {str(path.relative_to(PACKAGE)): path.read_text("utf-8") for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(text) for name, text in FILES.items()}
MAX_FILE, MEDIAN_FILE, MAX_FUNCTION = 350, 200, 40
KINDS = {"CRF", "ClosedFormModel", "CausalModel"}
"""Kinds of models: what sets them apart is a property of the contract, which the other rooms ask."""

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def docstring_lines(node):
    """How many lines the docstring takes."""
    if ast.get_docstring(node, clean=False) is None:
        return 0
    return node.body[0].end_lineno - node.body[0].lineno + 1


def nodes(kinds, outside=()):
    """Every node of some kinds, with where it is."""
    for name, tree in TREES.items():
        if not name.startswith(tuple(outside)):
            for node in ast.walk(tree):
                if isinstance(node, kinds):
                    yield f"{name}:{node.lineno}", node


def longer(lengths, limit):
    """What is longer than its limit, for a message that tells all of it."""
    return "\n".join(f"{name}: {n} lines" for name, n in lengths.items() if n > limit)


def test_files_are_short():
    lines = {name: len(text.splitlines()) for name, text in FILES.items()}
    assert not longer(lines, MAX_FILE)
    assert median(lines.values()) < MEDIAN_FILE


def test_functions_are_short():
    lengths = {
        f"{where} {node.name}": node.end_lineno - node.lineno + 1 - docstring_lines(node)
        for where, node in nodes(FUNCTIONS)
    }
    assert not longer(lengths, MAX_FUNCTION)


def hands_on(node):
    """Whether a statement of an ``__init__.py`` imports, or looks a name up when it is asked for."""
    if isinstance(node, ast.If):
        return ast.unparse(node.test) == "TYPE_CHECKING" and all(map(hands_on, node.body))
    if isinstance(node, FUNCTIONS):
        return node.name in {"__getattr__", "__dir__"}
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return all(isinstance(target, ast.Name) and target.id.startswith("_") for target in targets)
    is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_docstring or isinstance(node, (ast.Import, ast.ImportFrom))


def test_an_init_file_only_hands_names_on():
    own = {
        f"{name}:{node.lineno}"
        for name, tree in TREES.items()
        if Path(name).name == "__init__.py"
        for node in tree.body
        if not hands_on(node)
    }
    assert own == set()


def test_only_models_ask_for_a_kind_of_model():
    asked = {
        where
        for where, node in nodes(ast.Call, outside=["models/"])
        if ast.unparse(node.func) in {"isinstance", "issubclass"}
        if KINDS & {part.rpartition(".")[2] for part in map(ast.unparse, ast.walk(node.args[1])) if part}
    }
    assert asked == set()


def test_no_exception_is_swallowed():
    swallowed = {
        where
        for where, node in nodes(ast.ExceptHandler)
        if all(isinstance(statement, ast.Pass) or ast.unparse(statement) == "..." for statement in node.body)
    }
    assert swallowed == set()


def test_a_room_has_a_name_that_says_its_purpose():
    parts = {part for name in FILES for part in Path(name).with_suffix("").parts}
    assert parts.isdisjoint({"utils", "util", "helpers", "helper", "common", "core", "misc", "registry"})


def test_a_room_imports_only_from_the_rooms_below_it(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    status = lint_imports(config_filename="pyproject.toml", no_cache=True, no_logo=True)
    assert status == 0, capsys.readouterr().out


@pytest.mark.parametrize("folder", ["tests", "benchmarks"])
def test_the_package_imports_neither_tests_nor_benchmarks(folder):
    names = {path.stem for path in (ROOT / folder).rglob("*.py")} | {folder}
    imported = {alias.name for _, node in nodes(ast.Import) for alias in node.names}
    imported |= {node.module for _, node in nodes(ast.ImportFrom) if not node.level}
    assert names.isdisjoint(imported)


def test_every_room_has_tests_and_every_folder_of_tests_a_room():
    rooms = {path.parent.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py")}
    tested = {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")}
    assert rooms - tested == set()
    assert tested - rooms <= {Path("benchmarks")}
