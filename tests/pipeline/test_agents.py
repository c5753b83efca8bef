"""An agent's client drives the server over stdio, on a small study, and a pull request follows."""

import json
import os
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("mcp")

import anyio
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from roofmark.cli import main
from roofmark.looping.pull_request import LONGEST, render_pull_request
from tiny import write_study

pytestmark = pytest.mark.slow
ROUNDS = "def line(x):\n    for _ in range({}):\n        y = 2 * x + 1\n    return y\n"
# So much slower that two process sets show it on any host.
SLOW = ROUNDS.format(1500)
HANGS = "import time\n\ndef line(x):\n    time.sleep(60)\n    return 2 * x + 1\n"
SERVER = "from roofmark.cli import console; console()"
EVIL = "<img src=x> @everyone | `a` [x](http://evil)\n# head"


def _write(root: Path) -> None:
    study = write_study(root / "study", {"slow": SLOW}, limit=20.0)
    text = (study / "study.py").read_text()
    busy = tuple(f"RM3{n:02}" for n in (3, 4, 5, 6, 7, 9, 10, 11, 12, 14))
    text = text.replace('baseline="honest"', f'baseline="honest", accept={busy}')
    text = text.replace("blocks=2, calls=2", "margin=0.1, blocks=3, calls=7")
    (study / "study.py").write_text(text + '\nprint("{\\n what a study prints")\n')
    (root.parent / "outside").mkdir()
    (root / "link").symlink_to(root.parent / "outside")
    (study / "out").symlink_to(root.parent / "outside")


async def _call(client: Client, name: str, **arguments: object) -> tuple[bool, dict]:
    said: list[str] = []

    async def progress(_done: float, _total: float | None, message: str | None) -> None:
        said.append(message or "")

    result = await client.call_tool(name, arguments, progress_callback=progress)
    found = result.structured_content or {}
    assert json.loads(result.content[0].text) == found
    return bool(result.is_error), found | {"said": said}


def _carrying(root: Path) -> list[str]:
    """Return commands of living processes that were started for this root, servers aside."""
    found = []
    for pid in (each.name for each in Path("/proc").iterdir() if each.name.isdigit()):
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            marks = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if f"AGENT_TEST={root}" in marks and " mcp " not in line:
            found.append(line)
    return found


async def _session(root: Path) -> dict[str, tuple[bool, dict]]:
    env = {**os.environ, "AGENT_TEST": str(root)}
    words = ["-c", SERVER, "mcp", "--root", str(root), "--device", "cpu"]
    server = StdioServerParameters(command=sys.executable, args=words, env=env)
    one = {"study": "study", "solution": "slow"}
    found: dict[str, tuple[bool, dict]] = {}
    async with Client(stdio_client(server)) as client:
        tools = (await client.list_tools()).tools
        found["tools"] = (False, {each.name: each.input_schema for each in tools})
        found["early"] = await _call(client, "read_journal", **one)
        found["describe"] = await _call(client, "describe_study", **one)
        hostile = {
            "up": ("explain_bundle", {"bundle": "../outside"}),
            "absolute": ("explain_bundle", {"bundle": "/etc"}),
            "link": ("explain_bundle", {"bundle": "link"}),
            "nul": ("describe_study", {"study": "a\0b"}),
            "type": ("evaluate_candidate", {**one, "files": ["x"]}),
            "extra": ("evaluate_candidate", {**one, "alpha": 0.4}),
            "tool": ("rm", {}),
            "file": ("evaluate_candidate", {**one, "files": {"../evil.py": "x"}}),
            "option": ("describe_study", {"study": "study", "solution": "--help"}),
            "no_bundle": ("compare_bundles", {"a": "study", "b": "study"}),
        }
        for key, (name, arguments) in hostile.items():
            found[key] = await _call(client, name, **arguments)
        found["through"] = await _call(client, "evaluate_candidate", **one, files={"out/x": "x"})
        fast = {"slow.py": ROUNDS.format(2)}
        found["kept"] = await _call(
            client, "evaluate_candidate", **one, files=fast, hypothesis=EVIL, predicted=9.0
        )
        slower = {"slow.py": "# less is more\n" + fast["slow.py"].replace("2 * x", "1 * x")}
        found["wrong"] = await _call(client, "evaluate_candidate", **one, files=slower)
        run = f"{Path(found['kept'][1].get('loop', root)).relative_to(root)}/tries/0002"
        found["explain"] = await _call(client, "explain_bundle", bundle=f"{run}/confirmation")
        both = {"a": f"{run}/first", "b": f"{run}/confirmation"}
        found["compare"] = await _call(client, "compare_bundles", **both)
        with anyio.move_on_after(4) as scope:
            await _call(client, "evaluate_candidate", **one, files={"slow.py": HANGS})
        assert scope.cancelled_caught
        deadline = time.monotonic() + 20
        while _carrying(root) and time.monotonic() < deadline:
            await anyio.sleep(0.1)
        found["left"] = (False, {"processes": _carrying(root)})
        found["again"] = await _call(client, "describe_study", **one)
        found["cut"] = await _call(
            client, "evaluate_candidate", **one, files={"slow.py": HANGS}, limit=1
        )
        found["journal"] = await _call(client, "read_journal", **one)
    return found


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("agents") / "root"
    folder.mkdir()
    _write(folder)
    return folder.resolve()


@pytest.fixture(scope="module")
def found(root: Path) -> dict[str, tuple[bool, dict]]:
    return anyio.run(_session, root)


def test_every_tool_takes_what_its_schema_says(found) -> None:
    assert set(found["tools"][1]) == {
        "describe_study", "evaluate_candidate", "explain_bundle", "compare_bundles", "read_journal",
    }  # fmt: skip
    for schema in found["tools"][1].values():
        assert schema["type"] == "object" and schema["additionalProperties"] is False


def test_a_study_is_described_although_it_prints(found) -> None:
    failed, told = found["describe"]
    assert not failed and told["study"] == "line" and told["baseline"] == "honest"
    assert told["sources"] == {"slow.py": SLOW} and told["incumbent"] == 0
    assert found["again"][1]["sources"] == {"slow.py": ROUNDS.format(2)}
    assert found["again"][1]["incumbent"] == 2


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("up", "RM450"), ("absolute", "RM450"), ("link", "RM450"), ("nul", "RM450"),
        ("type", "RM451"), ("extra", "RM451"), ("tool", "RM451"), ("file", "RM450"),
        ("option", "RM130"), ("no_bundle", "RM401"), ("early", "RM451"), ("cut", "RM452"),
    ],
)  # fmt: skip
def test_what_is_hostile_or_wrong_comes_back_as_an_error_in_parts(found, key, code) -> None:
    failed, told = found[key]
    assert failed and set(told) == {"errors", "said"}
    assert told["errors"][0]["code"] == code, told
    assert all(each["fact"] and "Traceback" not in json.dumps(each) for each in told["errors"])


def test_a_candidate_writes_through_no_link(found, root: Path) -> None:
    assert found["through"][1]["ending"] == "refused"
    assert not list((root.parent / "outside").iterdir())


def test_evaluations_are_tries_of_one_loop(found) -> None:
    failed, told = found["kept"]
    assert not failed and told["ending"] == "kept" and told["number"] == 2, told
    assert told["speedup"]["low"] > 1.1 and told["said"] and told["places"]
    assert found["wrong"][1]["ending"] == "incorrect" and found["wrong"][1]["against"] == 2
    tries = [each for each in found["journal"][1]["entries"] if each["type"] == "try"]
    assert [each["ending"] for each in tries][:3] == ["refused", "kept", "incorrect"]
    secret = json.dumps([found["kept"], found["wrong"], found["journal"], found["explain"]])
    assert "entropy" not in secret


def test_bundles_are_explained_and_compared(found) -> None:
    failed, told = found["explain"]
    assert not failed and told["bundle"] == found["kept"][1]["bundle"]
    assert told["answer"] and told["limits"]
    assert {each["code"] for each in told["findings"]} <= set(told["explanations"])
    assert not found["compare"][0] and found["compare"][1]["comparisons"]


def test_a_cancelled_evaluation_leaves_no_process(found) -> None:
    assert found["left"][1]["processes"] == []


def test_a_pull_request_says_what_was_proved_and_what_was_not(found, root: Path, capsys) -> None:
    folder = Path(found["kept"][1]["loop"])
    assert main(["pr", str(folder), "-o", str(root / "pr.md")]) == 0
    body = (root / "pr.md").read_text()
    first, again = folder / "tries/0002/first", folder / "tries/0002/confirmation"
    assert len(body) <= LONGEST and body == render_pull_request(folder)
    plain = body.replace("\\", "")
    for piece in (
        "over the incumbent on 1 workload", "call tier", "cold cache", "0 held-out workloads",
        "What limits it, before and after", "Tried and rejected: 2 of", "Error budget", "Driver",
        "Negative controls", f"roofmark verify {os.path.relpath(again)}", "Changed: slow.py",
        "Hypothesis: <img src=x> @<!-- -->everyone", found["kept"][1]["bundle"],
    ):  # fmt: skip
        assert piece in plain, piece
    # A hostile hypothesis is there, and neither a tag, a mention, a link nor a cell.
    assert "\\<img" in body and "<img" not in body.replace("\\<", "")
    assert "](http" not in body and "@everyone" not in body and "\n# head" not in body
    assert first.is_dir()
    assert main(["pr", str(again)]) == 0
    assert "over incumbent on" in capsys.readouterr().out


def test_nothing_kept_or_damaged_is_refused(found, root: Path, capsys, tmp_path: Path) -> None:
    folder = Path(found["kept"][1]["loop"])
    first = folder / "tries/0003/first"
    assert main(["pr", str(first)]) != 0 and "RM454" in capsys.readouterr().err
    journal = (folder / "journal.jsonl").read_bytes()
    digest = found["kept"][1]["bundle"].encode()
    (folder / "journal.jsonl").write_bytes(journal.replace(digest, b"0" * len(digest)))
    try:
        assert main(["pr", str(folder)]) == 4 and "RM404" in capsys.readouterr().err
        (folder / "journal.jsonl").write_bytes(journal.replace(b'"kept"', b'"same"'))
        assert main(["pr", str(folder)]) == 2 and "RM454" in capsys.readouterr().err
    finally:
        (folder / "journal.jsonl").write_bytes(journal)
