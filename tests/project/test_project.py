"""What the project promises about itself: layers, light imports, documented codes, current docs."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import roofmark
from roofmark.analysis.rules import all_rules
from roofmark.cli import new
from roofmark.cli.reference import render_reference
from roofmark.codes import ERRORS

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src" / "roofmark").rglob("*.py"))
HEAVY = ("torch", "numpy", "scipy", "triton", "altair", "pynvml", "tvm_ffi")


@pytest.mark.parametrize(
    "code",
    [
        "import roofmark",
        "import roofmark; roofmark.Study, roofmark.Verdict, roofmark.run, roofmark.open_bundle",
        "from roofmark.cli import main; main(['--help'])",
        "from roofmark.cli import main; main(['run', '--help'])",
        "from roofmark.cli import main; main(['verify', '/nowhere'])",
        "import roofmark.loading",
    ],
)
def test_what_is_light_stays_light(code):
    code += f"\nimport sys; print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stderr.splitlines()[-1] == "[]"


def test_public_names_are_sorted_and_there():
    # Constants, classes, functions, each in the order of the alphabet.
    order = sorted(roofmark.__all__, key=lambda n: (not n.isupper(), n[0].islower(), n))
    assert list(roofmark.__all__) == order
    for name in roofmark.__all__:
        assert getattr(roofmark, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        roofmark.nonsense  # noqa: B018


def test_a_public_name_is_never_hidden_by_a_module_of_that_name():
    """Python sets `roofmark.report` to a module once one of that name is imported."""
    modules = {path.stem for path in (ROOT / "src/roofmark").iterdir() if path.stem[0] != "_"}
    assert modules.isdisjoint(roofmark.__all__)


def test_imports_go_downwards():
    pytest.importorskip("importlinter")
    from importlinter.cli import lint_imports

    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


def raised_codes():
    """Every code in a string of the sources that is raised, not the name of a rule."""
    rules = {rule.code for rule in all_rules()}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                if re.fullmatch(r"RM\d{3}", node.value) and node.value not in rules:
                    yield node.value, path.relative_to(ROOT).as_posix()
            elif isinstance(node, ast.JoinedStr):
                for code in re.findall(r"error\[(RM\d{3})\]", ast.unparse(node)):
                    yield code, path.relative_to(ROOT).as_posix()


def test_every_raised_code_is_explained():
    missing = {(code, path) for code, path in raised_codes() if code not in ERRORS}
    assert missing == set()


def test_every_explained_code_is_raised():
    raised = {code for code, path in raised_codes() if not path.endswith("/codes.py")}
    assert set(ERRORS) - raised == set()


def test_no_code_means_two_things():
    assert {rule.code for rule in all_rules()}.isdisjoint(ERRORS)
    assert list(ERRORS) == sorted(ERRORS)
    assert all(code.title and code.meaning.endswith(".") for code in ERRORS.values())


def test_every_rule_explains_itself():
    for rule in all_rules():
        assert len(rule.documentation) > 80, rule.code
        assert rule.fires and rule.silent, rule.code


@pytest.mark.parametrize(("name", "text"), sorted(render_reference().items()))
def test_reference_pages_are_current(name, text):
    page = ROOT / "docs" / "reference" / name
    assert page.read_text(encoding="utf-8") == text, "run `make docs`"


def test_every_template_is_in_the_package():
    folder = ROOT / "src/roofmark/cli/templates"
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    named = {*new.COMMON, *(file for file, _ in new.SOLUTIONS.values())}
    assert {name for name in there if "__pycache__" not in name} == named


def test_no_file_outgrows_its_habit():
    """A module of more than 400 lines is two modules."""
    assert [p.name for p in SOURCES if len(p.read_bytes().splitlines()) > 400] == []


def test_every_module_says_what_it_is_for():
    silent = [p.name for p in SOURCES if p.name != "__init__.py" and not documented(p)]
    assert silent == []


def documented(path):
    return ast.get_docstring(ast.parse(path.read_bytes())) is not None


def test_make_help_names_every_target():
    text = (ROOT / "Makefile").read_text()
    targets = set(re.search(r"\.PHONY: (.*)", text).group(1).split())
    done = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert {line.split()[1] for line in done.stdout.splitlines()} == targets
