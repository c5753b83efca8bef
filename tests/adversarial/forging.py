"""Forged evidence: a sealed bundle, changed by somebody who can seal it again.

In: the files of an honest bundle, a source of chance. Out: files of which some values, lines or
whole files are hostile, under a manifest that fits them; and every reader that may meet such a
folder, each of which must answer or refuse with a RoofmarkError.
"""

import hashlib
import json
import random
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from roofmark import api
from roofmark.analysis.gate import Ask
from roofmark.bundle import open_bundle
from roofmark.comparing import compare_bundles, replicate_bundles
from roofmark.exporting import export
from roofmark.gating import gate, pin
from roofmark.loading import load_bundled_study
from roofmark.records import encode_pretty
from roofmark.remembering import read_history
from roofmark.reports.comparisons import compared_text, replication_text
from roofmark.reports.gates import gate_junit, gate_markdown, gate_text
from roofmark.reports.history import history_text
from roofmark.reports.html import render_html
from roofmark.reports.markdown import render_markdown
from roofmark.reports.terminal import render_terminal

# A backslash before it makes text of it in Markdown.
_MARKUP = re.compile(r"(?<!\\)<(?:img|script>alert)")
POISON = (
    "\x1b]0;owned\x07\x1b]8;;http://evil\x1b\\\x1b[2J\x9b31m\r\b\n::error::owned\n##[error]owned"
    "\u202egnp\u2066\u200b\U000e0041\x7f\x00</script><script>alert(1)</script><img src=x onerror=a>"
    "]]>|`${{7*7}}`[a](javascript:a)@team #1 https://evil.example =1+1\ufffe\ufeff"
)
"""What would drive a terminal, a page, a table, a CI system, or hide itself."""

TEXTS = (
    "", ".", "..", "../../etc/passwd", "/etc/passwd", "x" * 100_000, "é" * 300, POISON,
    "n" + "*n" * 240, "9" * 400, "(" * 400, "1 " * 20_000, "-1", "0", "n", "x~twin", "RM301",
)  # fmt: skip
WHOLES = (0, -1, 1, 2, 63, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63), 10**30)
REALS = (0.0, -0.0, 1e-320, 1e-300, 1e-9, 0.5, 1.0, 1.5, 1e15, 1e150, 1e308, -1e308)
OTHERS: tuple[Any, ...] = (None, True, [], {}, [[]], {"": ""}, [0.0] * 1000)
"""Values that fit a field's type and that nobody expected there, and some that fit none."""


def read_files(bundle: Path) -> dict[str, bytes]:
    """Return a bundle's files but its manifest."""
    names = (p.relative_to(bundle).as_posix() for p in bundle.rglob("*") if p.is_file())
    return {name: (bundle / name).read_bytes() for name in names if name != "manifest.json"}


def write_forged(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files with names and a manifest that fit them, as an attacker would."""
    files = _refiled(files)
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    listed = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        for name, data in files.items()
    }
    manifest = {"format": 1, "roofmark": "0.1.0", "plugins": {}, "files": listed}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def _refiled(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files with every build under its own digest, and traces that name it so."""
    renamed: dict[bytes, bytes] = {}
    found: dict[str, bytes] = {}
    for name, data in files.items():
        if name.startswith("builds/"):
            try:
                own = hashlib.sha256(msgspec.json.format(data, indent=-1)).hexdigest()
            except msgspec.MsgspecError:
                own = Path(name).stem
            renamed[Path(name).stem.encode()] = own.encode()
            found[f"builds/{own}.json"] = data
        else:
            found[name] = data
    for name in [each for each in found if each.startswith("traces/")]:
        for old, new in renamed.items():
            found[name] = found[name].replace(old, new)
    return found


def forge(files: dict[str, bytes], chance: random.Random) -> tuple[dict[str, bytes], str]:
    """Return the files after one to three hostile changes, and what was changed."""
    forged, told = dict(files), []
    for _ in range(chance.randint(1, 3)):
        texts = [n for n in sorted(forged) if n.endswith((".json", ".jsonl"))]
        kind = chance.choice(sorted({n.partition("/")[0] for n in texts}))
        name = chance.choice([n for n in texts if n.partition("/")[0] == kind])
        change = chance.choice((*[_values] * 8, _bytes, _lines))
        data, what = change(forged[name], chance)
        forged[name] = data
        told.append(f"{name}: {what}")
    return forged, "; ".join(told)


Keep = Callable[[tuple[str, ...]], bool]
"""Whether the text at this path stays as it is."""


def poison(value: Any, keep: Keep, at: tuple[str, ...] = ()) -> Any:
    """Return a JSON value with every text poisoned but those that `keep` names by their path."""
    if isinstance(value, str):
        return value if keep(at) else value + POISON
    if isinstance(value, list):
        return [poison(each, keep, at) for each in value]
    if isinstance(value, dict):
        return {key: poison(each, keep, (*at, key)) for key, each in value.items()}
    return value


def drives(text: str) -> list[str]:
    """Return the characters of a text that a terminal would obey or not show."""
    found = {
        each
        for each in set(text) - {"\n", "\t"}
        if unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    }
    return sorted(found)


# --- changes -------------------------------------------------------------------------------------
def _values(data: bytes, chance: random.Random) -> tuple[bytes, str]:
    """Change one value anywhere in one JSON text of the file."""
    lines = data.splitlines() if data.count(b"\n{") else [data]
    number = chance.randrange(len(lines))
    try:
        tree = json.loads(lines[number])
    except ValueError:
        return data, "no JSON any more"
    spots: dict[str, list[tuple[Any, Any]]] = {}
    for holder, key in _spots(tree):
        spots.setdefault(key if isinstance(key, str) else "", []).append((holder, key))
    if not spots:
        return data, "nothing to change"
    # By name first: most values are samples, and most fields are not.
    holder, key = chance.choice(spots[chance.choice(sorted(spots))])
    what = _change(holder, key, chance)
    lines[number] = json.dumps(tree).encode()
    return b"\n".join(lines) + b"\n", f"line {number + 1}: {what}"


def _spots(tree: Any):
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in list(items) if isinstance(tree, dict | list) else ():
        yield tree, key
        if isinstance(value, dict | list):
            yield from _spots(value)


def _change(holder: Any, key: Any, chance: random.Random) -> str:
    way = chance.randrange(6)
    if way == 0:
        del holder[key]
        return f"{key!r} deleted"
    if way == 1 and isinstance(holder, list):
        holder.extend([holder[key]] * chance.choice((1, 3, 50)))
        return f"{key!r} repeated"
    if way == 2 and isinstance(holder[key], int | float):
        factor = chance.choice((-1, 0, 1e-12, 1e12, 1e300))
        holder[key] = type(holder[key])(min(holder[key] * factor, 1.7e308))
        return f"{key!r} = {holder[key]!r:.40}"
    if way == 3 and isinstance(holder, dict):
        holder[chance.choice((POISON, "x", "n", "cuda", "~twin"))] = holder.pop(key)
        return f"{key!r} renamed"
    holder[key] = _hostile(holder[key], chance)
    return f"{key!r} = {holder[key]!r:.40}"


def _hostile(value: Any, chance: random.Random) -> Any:
    """Return another value, most often one of the same type: that comes through a decoder."""
    kinds = {str: TEXTS, int: WHOLES, float: (*REALS, *WHOLES)}
    if chance.random() < 0.15:
        return chance.choice((*OTHERS, *TEXTS, *WHOLES, *REALS))
    return chance.choice(kinds.get(type(value), OTHERS))


def _bytes(data: bytes, chance: random.Random) -> tuple[bytes, str]:
    """Damage the text itself: cut it, flip a byte, put something in."""
    at = chance.randrange(len(data) + 1)
    way = chance.randrange(4)
    if way == 0:
        return data[:at], f"cut at {at}"
    if way == 1:
        return data[:at] + b"\xff" + data[at + 1 :], f"byte {at} flipped"
    inside = chance.choice((b"[" * 100_000, b"9" * 5000, b"1e999", b'"\\ud800"', b"NaN", b"\x00"))
    return data[:at] + inside + data[at:], f"{inside[:9]!r} put in at {at}"


def _lines(data: bytes, chance: random.Random) -> tuple[bytes, str]:
    """Repeat, drop or move whole lines."""
    lines = data.splitlines()
    way = chance.randrange(3)
    if way == 0:
        return b"", "emptied"
    if way == 1:
        return b"\n".join(lines * chance.choice((2, 5))), "repeated"
    chance.shuffle(lines)
    return b"\n".join(lines), "shuffled"


# --- readers -------------------------------------------------------------------------------------
def _judge(path: Path, _: Path) -> None:
    bundle = open_bundle(path)
    verdict = api.judge(bundle)
    encode_pretty(verdict)
    shown = render_terminal(verdict, bundle, colour=False)
    assert not drives(shown), drives(shown)
    assert "\n::" not in shown and "##[" not in shown, "a CI command"


def _report(path: Path, _: Path) -> None:
    bundle = open_bundle(path)
    verdict = api.judge(bundle)
    html = render_html(verdict, bundle).partition('<script type="module">')[0]
    for page in (render_markdown(verdict, bundle), html):
        assert not _MARKUP.search(page), "markup"
        page.encode()


def _gate(path: Path, folder: Path) -> None:
    pin(path, folder / "pin.json", force=True, reason="forged")
    found = gate(path, folder / "pin.json", ask=Ask())
    for text in (gate_text([found]), gate_markdown([found]), gate_junit([found])):
        assert not drives(text), drives(text)
    encode_pretty(found)


def _compare(path: Path, _: Path) -> None:
    for found in compare_bundles([[path], [HONEST]]):
        assert not drives(compared_text(found)), drives(compared_text(found))
        encode_pretty(found)
    for each in replicate_bundles([[path], [HONEST]]):
        assert not drives(replication_text(each)), drives(replication_text(each))


def _log(path: Path, folder: Path) -> None:
    found = read_history(path, cache=folder / "cache")
    assert not drives(history_text(found)), drives(history_text(found))
    encode_pretty(found)


def _load(path: Path, _: Path) -> None:
    load_bundled_study(open_bundle(path))


def _export(path: Path, folder: Path) -> None:
    export(path, folder / "exported", force=True)


HONEST = Path(__file__).parents[2] / "evidence" / "2026-11-21-gdn-decode-cpu"
READERS: dict[str, Callable[[Path, Path], None]] = {
    "judge": _judge,
    "report": _report,
    "gate": _gate,
    "compare": _compare,
    "log": _log,
    "rerun": _load,
    "export": _export,
}
