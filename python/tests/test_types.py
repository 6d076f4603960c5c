"""Types: mypy accepts package and example, the stubs fit the extension, the example uses every public
name and runs, and every public name says what it is."""

from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
from pathlib import Path

import every_name
import missive
from missive import costs, plans, zar

HERE = Path(__file__).parent
PACKAGE = HERE.parent / "missive"


def mypy(module: str, *words: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, words)],
        capture_output=True, text=True, env={**os.environ, "MYPYPATH": str(HERE.parent)},
    )  # fmt: skip
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_mypy_accepts_the_example_and_the_package(tmp_path: Path) -> None:
    settings = tmp_path / "mypy.ini"
    settings.write_text(
        "[mypy]\nstrict = True\n"
        "[mypy-pandas.*,matplotlib.*]\nignore_missing_imports = True\n"
        "[mypy-missive._where]\nignore_missing_imports = True\nignore_errors = True\n"
        # Absent or present, depending on whether mypy looks at a source or a build folder.
        "[mypy-missive._program]\nwarn_unused_ignores = False\n"
    )
    words = ["--config-file", settings, "--cache-dir", tmp_path / "cache"]
    assert mypy("mypy", *words, HERE / "every_name.py", PACKAGE) == ""


def test_mypy_refuses_what_is_wrong(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import missive\nx: int = missive.run('a').digest\nmissive.run('a', backend=3)\nmissive.zar.opn('x')\n")
    said = mypy("mypy", "--ignore-missing-imports", "--cache-dir", tmp_path / "cache", wrong)
    for text in ('expression has type "str"', 'incompatible type "int"', "opn"):
        assert text in said


def test_the_stub_names_what_the_extension_has() -> None:
    from missive import _missive

    stub = ast.parse((PACKAGE / "_missive.pyi").read_text())
    listed = {n.name for n in stub.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    assert listed == {n for n in vars(_missive) if not n.startswith("_")}
    for node in stub.body:
        if isinstance(node, ast.ClassDef):
            members = {f.name for f in node.body if isinstance(f, ast.FunctionDef)} - {"__init__"}
            assert members == {n for n in vars(getattr(_missive, node.name)) if not n.startswith("_")}, node.name
        if isinstance(node, ast.FunctionDef):
            # pybind11 writes the signature into the docstring; names of arguments are part of it.
            doc = getattr(_missive, node.name).__doc__ or ""
            for argument in node.args.args:
                assert f"{argument.arg}:" in doc, (node.name, argument.arg)


def public() -> set[str]:
    names = set(missive.__all__) | set(costs.__all__) | set(zar.__all__)
    for owner in (missive.Result, missive.Sweep, missive.Parameters, missive.Plan, missive.Walk, zar.Image, zar.Comparison):
        inherited = {n for base in owner.__mro__[1:] for n in vars(base)}
        names |= {n for n in vars(owner) if not n.startswith("_") and n not in inherited}
    # Names that only connect the package's own modules.
    return names - {"native", "point", "own", "field"} - set(getattr(zar.Comparison, "_fields"))


def test_the_example_uses_every_public_name() -> None:
    tree = ast.parse((HERE / "every_name.py").read_text())
    used = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    used |= {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    assert public() - used == set()


def test_the_example_runs() -> None:
    every_name.main()


def test_every_public_function_and_class_has_a_docstring() -> None:
    for module in (missive, costs, zar, plans):
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isfunction(thing) or inspect.isclass(thing):
                assert inspect.getdoc(thing), name
                assert not (inspect.getdoc(thing) or "").startswith(f"{name}("), name
