"""Tries candidates of the corpus in a small study, by the real bench with real processes.

In: files of `corpus/`. Out: for each, the codes of the findings that made its verdict invalid. A
cheat names the codes that may refuse it (one of them must), an honest candidate must have none.
"""

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from roofmark import api
from roofmark.bundle import Bundle
from roofmark.options import RunOptions

CORPUS = Path(__file__).parent / "corpus"
_WRITES = re.compile(r"^writes: room$", re.M)
Device = Literal["cpu", "cuda"]
BUSY = "RM517"

_STUDY = """
import roofmark as rm

study = rm.Study(
    definition=rm.Definition(
        name="mix",
        axes={{"n": rm.VAR, "d": {d}}},
        inputs={{
            "x": rm.Tensor("n d", "float32"),
            "w": rm.Tensor("d d", "float32"),
            "room": rm.Tensor("n d", "float32"),
        }},
        outputs={{"y": rm.Tensor("n d", "float32")}},
        reference="reference.py::mix",
        tolerance=rm.Tolerance(rms=2e-5, peak=1e-3),
        flops="2*n*d*d",
        traffic="8*n*d + 4*d*d",
        mutable={mutable},
    ),
    workloads=[rm.Workload(axes={{"n": {n}}})],
    solutions=[{solutions}],
    baseline="plain",
    protocol=rm.Protocol(
        processes=({processes}, {processes}), blocks=2, calls=8, margin=0.05, call_limit=20.0,
        build_limit=120.0, time_limit=600.0, memory_limit={memory} * 2**30,
    ),
)
"""
_PLAIN = '''"""What one writes first."""

import torch

torch.set_num_threads(1)  # threads that wait for one another on a busy host drown every cheat


def mix(x, w, room):
    return torch.relu(x @ w)
'''


@dataclass(frozen=True)
class Candidate:
    """One file of the corpus.

    refused: codes of which one must refuse it; none if it is honest. also: what has to be told of
    it as well, each of them.
    """

    path: Path
    kind: str
    refused: tuple[str, ...]
    also: tuple[str, ...]
    devices: tuple[Device, ...]

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def compiled(self) -> bool:
        return self.path.suffix != ".py"


@dataclass(frozen=True)
class Result:
    """What became of one candidate in one run."""

    candidate: Candidate
    codes: tuple[str, ...]
    said: str
    decision: str

    @property
    def right(self) -> bool:
        """Whether a cheat was refused by a rule that it names, an honest one accused by none.

        On a busy host RM517 takes the verdict from both: the cheat has bought nothing.
        """
        if self.candidate.refused:
            fitting = set(self.candidate.refused)
            fitting |= {BUSY} if "RM508" in fitting else set()
            return bool(set(self.codes) & fitting) and set(self.candidate.also) <= set(self.codes)
        return set(self.codes) <= {BUSY}

    @property
    def open(self) -> bool:
        """Whether the verdict is undecided, and nothing else: not bought, and no refusal either."""
        return self.codes == (BUSY,)


def read_corpus(folder: Literal["cheats", "honest"], device: Device = "cpu") -> list[Candidate]:
    """Return the candidates of a folder that run on a device, by name."""
    paths = sorted(p for p in (CORPUS / folder).iterdir() if p.suffix in (".py", ".cpp", ".cu"))
    return [found for path in paths if device in (found := _read(path)).devices]


def one_for_each_rule(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return, for each rule, the first candidate that it has to refuse, or at least may.

    Compiled ones are left out: to build one takes longer than to try five others.
    """
    plain = [each for each in candidates if not each.compiled]
    found: list[Candidate] = []
    for code in sorted({code for each in plain for code in (*each.also, *each.refused)}):
        surely = [each for each in plain if code in each.also or each.refused == (code,)]
        likely = [each for each in plain if code in each.refused]
        best = (surely or likely)[0]
        if not any(code in each.also or each.refused == (code,) for each in found):
            found.append(best)
    return list(dict.fromkeys(found))


def try_candidates(
    candidates: Iterable[Candidate], folder: Path, *, device: Device = "cpu", processes: int = 2
) -> list[Result]:
    """Run all of them side by side in one study under `folder`; return what each came to."""
    candidates = list(candidates)
    study = _write_study(candidates, folder / "study", device, processes)
    bundle = api.run(study, folder / "bundle", options=RunOptions(device=device))
    return judge_candidates(candidates, bundle)


def judge_candidates(candidates: Iterable[Candidate], bundle: Bundle) -> list[Result]:
    """Return what each candidate came to in a bundle."""
    verdict = api.judge(bundle)
    cells = {cell.solution: cell for cell in verdict.cells}
    results: list[Result] = []
    for each in candidates:
        found = [
            f
            for f in verdict.findings
            if f.solution == each.name and f.state == "fires" and f.code.startswith("RM5")
            and f.moves
        ]  # fmt: skip
        said = "; ".join(f"{f.code}: {f.message}" for f in found)
        codes = tuple(f.code for f in found)
        results.append(Result(each, codes, said, cells[each.name].decision))
    return results


def _read(path: Path) -> Candidate:
    text = path.read_text()
    suffix_implies = {".cu": "cuda", ".cpp": "cpu", ".py": "both"}
    device = _field(text, "device") or suffix_implies[path.suffix]
    devices: tuple[Device, ...] = ("cpu", "cuda") if device == "both" else (device,)  # pyright: ignore
    codes = (tuple(_field(text, name).split()) for name in ("refused", "also"))
    return Candidate(path, _field(text, "class"), *codes, devices)


def _field(text: str, name: str) -> str:
    match = re.search(rf"^(?:// )?{name}: (.*)$", text, re.M)
    return match[1].strip() if match else ""


def _write_study(candidates: list[Candidate], folder: Path, device: Device, processes: int) -> Path:
    folder.mkdir(parents=True)
    shutil.copy(CORPUS / "reference.py", folder)
    for header in CORPUS.glob("*.h"):
        shutil.copy(header, folder)
    (folder / "plain.py").write_text(_PLAIN)
    lines = ['rm.Solution("plain", "plain.py::mix")']
    for each in candidates:
        shutil.copy(each.path, folder)
        headers = tuple(re.findall(r'^#include "(.+)"', each.path.read_text(), re.M))
        lines.append(f'rm.Solution("{each.name}", "{each.path.name}::mix", sources={headers})')
    # A process that opens a CUDA context holds some GiB of the host before it does anything.
    d, n, memory = (384, 128, 3) if device == "cpu" else (1024, 256, 24)
    # Where inputs may change, a GPU's batches make their calls once: only where it is asked for.
    mutable = ("room",) if any(_WRITES.search(each.path.read_text()) for each in candidates) else ()
    text = _STUDY.format(
        solutions=",\n        ".join(lines), processes=processes, d=d, n=n, memory=memory,
        mutable=mutable,
    )  # fmt: skip
    (folder / "study.py").write_text(text)
    return folder
