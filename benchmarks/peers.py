"""Who catches what: a corpus of candidates under the published procedures of others.

In: a folder with `cheats/` and `honest/`, one file for each candidate, whose docstring names its
class and the device it is for. Out: a table, one row for each candidate: what each procedure says
of it, the speed-up that it would report, and whether the candidate is right afterwards. Each runs
in a process of its own with a time limit. What a candidate does, it does to this machine: run it in
a container or on a machine that holds nothing. The corpus attacks its harness alone.

    python benchmarks/peers.py --corpus tests/adversarial/corpus --device cpu
    python benchmarks/peers.py --corpus tests/adversarial/corpus --device cuda

flashinfer-bench has to be installed for its column (`pip install --no-deps flashinfer-bench==0.1.2
pydantic safetensors docstring-parser`); peers_procedures.py says what the other column is.
"""

import argparse
import json
import os
import re
import secrets
import shutil
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
sys.path[0] = str(HERE.parent / "src")

from roofmark.bench.descendants import MARK  # noqa: E402
from roofmark.bench.tool import run_tool  # noqa: E402

PROCEDURES = ("flashinfer-bench", "KernelBench")
# Chosen: ten times what an honest candidate takes; a compiled one has to be built first.
LIMIT = 180
# Classes whose target is one harness and no other: its channel, its files, its processes. Under
# another procedure they do nothing and rightly pass.
_AIMED = re.compile(
    r"class: (\(sabotage\)|30 |43 |44 |45 |47 |49 |51 |28 expected values read through /proc)"
)


@dataclass(frozen=True)
class Candidate:
    """One file of the corpus."""

    path: Path
    honest: bool
    kind: str
    aimed: bool


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--corpus", type=Path, default=HERE.parent / "tests/adversarial/corpus")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--only", default="", help="part of a candidate's name")
    parser.add_argument("--json", type=Path, help="write every result to this file")
    chosen = parser.parse_args()
    results = []
    control = Candidate(chosen.corpus / "reference.py", True, "", False)
    for name in PROCEDURES:
        said = _try(control, name, chosen)
        if said["accepted"] is False or said.get("right") is False:
            print(f"{name} does not work here: it says of the reference itself: {said}")
            return 2
    for each in read_corpus(chosen.corpus, chosen.device):
        if chosen.only in each.path.stem:
            said = {name: _try(each, name, chosen) for name in PROCEDURES}
            results.append((each, said))
            print(_row(each, said), flush=True)
    print("\n" + _summary(results))
    if chosen.json:
        found = [
            {"candidate": c.path.stem, "honest": c.honest, "aimed": c.aimed, "class": c.kind} | s
            for c, s in results
        ]
        chosen.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


def read_corpus(corpus, device):
    """Return the candidates for a device, the cheats first."""
    found = []
    for folder in ("cheats", "honest"):
        for path in sorted((corpus / folder).iterdir()):
            if path.suffix not in (".py", ".cpp", ".cu"):
                continue
            text = path.read_text()
            implied = {".cu": "cuda", ".cpp": "cpu", ".py": "both"}[path.suffix]
            wanted = _field(text, "device") or implied
            if wanted in ("both", device):
                own = "roofmark" in text or bool(_AIMED.search(text))
                found.append(Candidate(path, folder == "honest", _field(text, "class"), own))
    return found


def _field(text, name):
    match = re.search(rf"^(?:// )?{name}: (.*)$", text, re.M)
    return match[1].strip() if match else ""


def _try(candidate, procedure, chosen):
    """Run one candidate under one procedure; what ends badly was not accepted."""
    if procedure == "flashinfer-bench" and find_spec("flashinfer_bench") is None:
        return {"accepted": None, "why": "not installed"}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "c"
        place.mkdir()
        for each in (candidate.path, *chosen.corpus.glob("*.h"), chosen.corpus / "reference.py"):
            shutil.copy(each, place)
        result = Path(folder) / "result.json"
        words = [str(place), candidate.path.name, procedure, chosen.device, str(result)]
        # -P: a benchmark beside it has the name of a standard module. Whatever a candidate leaves
        # behind, in whichever session, is ended with it.
        done = run_tool(
            (sys.executable, "-P", str(HERE / "peers_procedures.py"), *words),
            folder=place,
            environment=os.environ | {MARK: f"{os.getpid()}-{secrets.token_hex(8)}"},
            limit=LIMIT,
            memory=None,
        )
        if done.timed_out:
            return {"accepted": False, "why": f"no answer within {LIMIT} s"}
        if not result.is_file():
            last = (done.output.strip().splitlines() or ["no word"])[-1][:120]
            return {"accepted": False, "why": f"ended with {done.status}: {last}"}
        return json.loads(result.read_text())


def _row(candidate, said):
    cells = [f"{_cell(said[name])[:44]:<44}" for name in PROCEDURES]
    mark = "honest" if candidate.honest else "aimed at roofmark" if candidate.aimed else "cheat"
    return f"{candidate.path.stem:<22}{mark:<18}{'  '.join(cells)}  {candidate.kind}"


def _cell(said):
    if not said["accepted"]:
        return f"refused: {said['why']}" if said["accepted"] is False else said["why"]
    flag = " (flagged)" if said.get("flagged") else ""
    return f"passes {said['speedup']:.2f}x{flag}, then {'right' if said['right'] else 'WRONG'}"


def _summary(results):
    lines = []
    for name in PROCEDURES:
        tried = [(c, s[name]) for c, s in results if s[name]["accepted"] is not None]
        cheats = [(c, s) for c, s in tried if not c.honest and not c.aimed]
        passed = [s for _, s in cheats if s["accepted"]]
        wrong = sum(not s["right"] for s in passed)
        honest = [s for c, s in tried if c.honest]
        lines.append(
            f"{name}: of {len(cheats)} cheats {len(cheats) - len(passed)} refused, "
            f"{len(passed)} accepted ({sum(s.get('flagged', False) for s in passed)} with a flag), "
            f"{wrong} of those wrong on new values afterwards; "
            f"of {len(honest)} honest ones {sum(not s['accepted'] for s in honest)} refused"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
