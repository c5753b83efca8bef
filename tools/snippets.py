"""What the pages show, tried: fenced `bash` and `python` blocks run, in the order of their page.

In: Markdown pages. Out: what failed, and what was not run and why. One page is one scratch folder,
in which `evidence`, `studies` and `docs` are those of the repository. Marks stand on lines of their
own before a block:

    <!-- slow: REASON -->    runs only with --slow
    <!-- needs: WHAT -->     cannot run here (a GPU, a cluster); its command lines are parsed
    <!-- exit: 3 -->         how the block ends, if not with 0; `exit: verdict` is 0, 1 or 3
    <!-- extra: duckdb -->   not run where that package is absent
    <!-- output -->          before a `text` block: what the block above it prints, in this order; a
                             line `...` stands for any lines; blanks and folds do not count

Lines that start with `roofmark` and are not run (indented ones, too) have to be command lines.

    python tools/snippets.py [--slow] [PAGE ...]
"""

import contextlib
import importlib.util
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FENCE = re.compile(
    r"(?P<marks>(?:^<!--[^\n]*-->\n)*)^```(?P<kind>\w+)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
MARK = re.compile(r"<!-- (slow|needs|extra|exit|output|recipe)(?:: (.*?))? -->")
INDENTED = re.compile(r"^    ((?:\$ )?roofmark .*)$", re.MULTILINE)
RUN = ("bash", "python", "sh")
# What only a shell understands; a block without it is run in this process, which is much cheaper.
SHELL = re.compile(r"[|&;<>$`*?(){}~]|^\s*(?!roofmark\b)\S", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced block: where it stands, what it is, how it ends, what it prints."""

    page: str
    line: int
    kind: str
    text: str
    marks: dict[str, str] = field(default_factory=dict)
    prints: str = ""

    @property
    def where(self) -> str:
        """Return its page and line."""
        return f"{self.page}:{self.line}"

    def skipped(self, *, slow: bool = False) -> str:
        """Return why this block is not run, or nothing."""
        if "needs" in self.marks:
            return f"needs {self.marks['needs']}"
        if "extra" in self.marks and importlib.util.find_spec(self.marks["extra"]) is None:
            return f"{self.marks['extra']} is not installed"
        if "slow" in self.marks and not slow:
            return f"slow: {self.marks['slow']}; python tools/snippets.py --slow {self.page}"
        return ""


def pages() -> list[Path]:
    """Return README.md and every page of docs/ that a person wrote."""
    found = (ROOT / "docs").rglob("*.md")
    return [ROOT / "README.md", *sorted(each for each in found if each.parent.name != "reference")]


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks that can be run, with what each prints. Raises: ValueError: a bad mark."""
    text, name = page.read_text(encoding="utf-8"), page.relative_to(ROOT).as_posix()
    found: list[Block] = []
    for each in FENCE.finditer(text):
        marks = _marks(each["marks"], f"{name}:{1 + text.count(chr(10), 0, each.start())}")
        line = 1 + text.count("\n", 0, each.start("kind"))
        if "output" in marks:
            if not found or each["kind"] != "text":
                raise ValueError(f"{name}:{line}: output is for a `text` block after one that runs")
            last = found.pop()
            found.append(Block(name, last.line, last.kind, last.text, last.marks, each["text"]))
        elif each["kind"] in RUN:
            found.append(Block(name, line, each["kind"], each["text"], marks))
    return found


def _marks(text: str, where: str) -> dict[str, str]:
    lines = [line for line in text.splitlines() if not line.startswith("<!-- table")]
    found = [MARK.fullmatch(line) for line in lines]
    if None in found:
        raise ValueError(f"{where}: no mark is called so: {lines[found.index(None)]}")
    return {each[1]: each[2] or "" for each in found if each}


def command_lines(page: Path) -> Iterator[str]:
    """Yield the roofmark command lines of a page that are shown and not run."""
    text = page.read_text(encoding="utf-8")
    for block in blocks_of(page):
        if block.skipped() and block.kind != "python":
            joined = block.text.replace("\\\n", " ")
            yield from re.findall(r"^\s*(?:\S+=\S+ )*(roofmark .*)$", joined, re.MULTILINE)
    yield from INDENTED.findall(FENCE.sub("", text))


def words_of(line: str) -> list[str]:
    """Return a shown command line as words, without comment, brackets and redirections."""
    line = re.split(r"\s+(?:#\s|\||\|\||&&|;|>)", line + " ")[0]
    line = re.sub(r"\$\([^)]*\)", "computed", line)
    words = [word.strip("[]") for word in shlex.split(line, comments=True)]
    return [word for word in words[1:] if word and word != "..."]


def run_block(block: Block, folder: Path) -> str:
    """Run a block in `folder`; return what is wrong with it, or nothing."""
    code, out = _python(block, folder) if block.kind == "python" else _shell(block, folder)
    expected = block.marks.get("exit", "0")
    if str(code) not in (("0", "1", "3") if expected == "verdict" else (expected,)):
        return f"{block.where}: ended with {code}, not {expected}\n{out}"
    missing = missing_part(block.prints, out)
    return f"{block.where}: does not print {missing!r}; it prints\n{out}" if missing else ""


def missing_part(wanted: str, out: str) -> str:
    """Return the first part of `wanted` that `out` lacks at its place, or nothing."""
    printed = " ".join(out.split())
    for part in re.split(r"^\.\.\.$", wanted, flags=re.MULTILINE):
        text = " ".join(part.split())
        if text not in printed:
            return text
        printed = printed[printed.index(text) + len(text) :]
    return ""


def scratch(folder: Path) -> Path:
    """Make `folder` what a page expects around it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("evidence", "studies", "docs", "benchmarks", "tools"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def _shell(block: Block, folder: Path) -> tuple[int, str]:
    if not SHELL.search(re.sub(r"(^|\s)#.*$", "", block.text, flags=re.MULTILINE)):
        return _in_process(block, folder)
    bin_first = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return _run(["bash", "-euo", "pipefail", "-c", block.text], folder, PATH=bin_first)


def _in_process(block: Block, folder: Path) -> tuple[int, str]:
    """Call each command of the block as the console script would; stop at the first that fails."""
    from roofmark.cli import main

    code, kept = 0, io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(kept):
        for line in block.text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words and (not code or block.marks.get("exit") == "verdict"):
                with contextlib.redirect_stderr(kept):
                    code = main(words[1:])
    return code, kept.getvalue()


def _python(block: Block, folder: Path) -> tuple[int, str]:
    return _run([sys.executable, "-c", block.text], folder)


def _run(command: list[str], folder: Path, **env: str) -> tuple[int, str]:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **env},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.returncode, done.stdout


def main(arguments: list[str]) -> int:
    """Run the blocks of the named pages, or of all."""
    slow = "--slow" in arguments
    named = [Path(each).resolve() for each in arguments if each != "--slow"]
    wrong = 0
    for page in named or pages():
        with tempfile.TemporaryDirectory() as name:
            folder = scratch(Path(name) / "page")
            for block in blocks_of(page):
                why = block.skipped(slow=slow)
                fault = "" if why else run_block(block, folder)
                wrong += bool(fault)
                print(f"not run: {block.where}: {why}" if why else fault or f"runs: {block.where}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
