"""The recipes of docs/ci.md: sound YAML, and command lines that roofmark's own parser takes."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from roofmark.cli.app import app
from roofmark.pytest_plugin import pytest_addoption

yaml = pytest.importorskip("yaml")

DOCS = Path(__file__).parents[2] / "docs"
FENCE = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
# One command of a shell line: up to what joins it to the next.
COMMAND = re.compile(
    r"(?:^|\s)(?:\.venv/bin/)?roofmark\s(.*?)(?=\s(?:\|\|?|&&|;|>)|$)", re.MULTILINE
)


def recipes(page="ci.md"):
    return FENCE.findall((DOCS / page).read_text(encoding="utf-8"))


def scripts(value):
    """Yield every text that a runner would run."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from [each] if key == "run" else scripts(each)
    elif isinstance(value, list):
        for each in value:
            yield from [each] if isinstance(each, str) else scripts(each)


def commands():
    """Yield every roofmark command line of recipes and of the pages on gates."""
    for recipe in recipes():
        for script in scripts(yaml.safe_load(recipe)):
            yield from COMMAND.findall(script)
    for page in ("ci.md", "gates.md"):
        text = (DOCS / page).read_text(encoding="utf-8")
        indented = "\n".join(re.findall(r"^    (roofmark .*)$", text, re.MULTILINE))
        yield from (line.partition("  # ")[0] for line in COMMAND.findall(indented))


def parse(line):
    """Parse a command line as the program would, without running it; return the command's name."""
    group = typer.main.get_command(app)
    line = line.replace("$HOME/bundles", str(DOCS))  # `log` wants a folder that is there
    words = shlex.split(re.sub(r"\$\([^)]*\)", "computed", line))
    context = group.make_context("roofmark", list(words))
    name, command, rest = group.resolve_command(context, words)
    command.make_context(name, rest, parent=context)
    return name


def test_there_is_something_to_check():
    found = [line.split()[0] for line in commands()]
    assert {"run", "gate", "pin", "log", "doctor"} <= set(found)
    assert sum("--against" in line for line in commands()) >= 3 and len(recipes()) == 4


@pytest.mark.parametrize("line", sorted(set(commands())))
def test_every_command_line_is_one(line):
    assert parse(line) == line.split()[0]


@pytest.mark.parametrize("line", ["gate", "gate x --agianst y", "fly", "gate x --margin much"])
def test_a_wrong_one_would_be_noticed(line):
    with pytest.raises(Exception, match=r"[Mm]issing|No such|valid number"):
        parse(line)


@pytest.mark.parametrize("recipe", recipes())
def test_recipes_are_bounded_and_alone_on_their_device(recipe):
    found = yaml.safe_load(recipe)
    jobs = found.get("jobs", found)
    alone = "concurrency" in found or all("resource_group" in job for job in jobs.values())
    assert alone and all("timeout" in str(list(job)) for job in jobs.values())
    assert "make setup" in list(scripts(found))


def test_pytest_lines_use_options_that_exist():
    known = set()

    class Group:
        def addoption(self, name, **_):
            known.add(name)

    class Parser:
        def getgroup(self, *_):
            return Group()

    pytest_addoption(Parser())
    text = (DOCS / "ci.md").read_text(encoding="utf-8")
    named = set(re.findall(r"--roofmark[a-z-]*", text))
    assert named <= known and "--roofmark-baseline" in named
