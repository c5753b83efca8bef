"""nvbench: what NVBench writes with `--json` or `--jsonbin`, one `Figures` per benchmark and GPU.

In: `benchmarks[].states[].summaries[]`, each with a tag such as nv/cold/time/gpu/mean. Out: every
summary that is a number, labelled by benchmark, axis values and tag, with the unit of its hint; and
`Series` where `--jsonbin` left the samples in files beside this one. A state that was skipped, or
samples that are not there, make the import partial.
"""

import hashlib
import re
import struct
from dataclasses import dataclass, field
from typing import Any, cast

from roofmark.foreign import Figures, Imported, Series
from roofmark.importers.json_text import has_all, read_object
from roofmark.importers.reported import (
    Gathered,
    amount,
    imported,
    mapping,
    not_negative,
    plain,
    positive,
    sequence,
    settings_of,
)
from roofmark.importers.source import ForeignFile
from roofmark.records import Missing

# Source: nvbench/summary.cuh lists the hints; a percentage is stored as a ratio.
_UNITS = {
    "duration": "s",
    "item_rate": "item/s",
    "bytes": "B",
    "byte_rate": "B/s",
    "frequency": "Hz",
    "percentage": "1",
    "sample_size": "samples",
}
_SAMPLES = "nv/json/bin:nv/cold/sample_times"
# Spread and size of a sample stand with the mean that they belong to.
_ASIDE = re.compile(r"/(?:stdev|ir)/(?:absolute|relative)$|/sample_size$|^nv/json/")
_ESTIMATORS = {"mean": "mean", "median": "median", "min": "minimum", "max": "maximum"}
_BESIDE = re.compile(r"^(?:.*/)?(?P<folder>[\w .+-]{1,200}-bin)/(?P<file>\d{1,9}\.bin)$", re.DOTALL)
# Chosen: 16 million samples of four bytes; NVBench stops after seconds, at some hundred thousand.
_MOST_SAMPLES = 1 << 24


@dataclass
class _Beside:
    """The sample files that were read: how many samples they may still hold, and their digest."""

    left: int = _MOST_SAMPLES
    files: int = 0
    digest: Any = field(default_factory=hashlib.sha256)


def recognises(head: bytes) -> bool:
    """Whether devices or meta data as NVBench writes them stand before benchmarks."""
    ours = b'"sm_version"' in head or b'"nvbench"' in head or b'"nv/cold/' in head
    return ours and has_all(head) and (b'"devices"' in head or b'"benchmarks"' in head)


def read(file: ForeignFile) -> Imported:
    """Return every state that ran. Raises: ImportFailed RM416-RM418, OSError."""
    values = read_object(file)
    gathered = Gathered()
    beside = _Beside()
    devices = {
        plain(device.get("id")): settings_of(device, skip=("id",))
        for device in map(mapping, sequence(values.get("devices")))
    }
    contents: list[Figures | Series] = []
    skipped = 0
    for bench in map(mapping, sequence(values.get("benchmarks"))):
        states = [mapping(state) for state in sequence(bench.get("states"))]
        skipped += sum(1 for state in states if state.get("is_skipped"))
        for device in dict.fromkeys(plain(state.get("device")) for state in states):
            for state in states:
                if plain(state.get("device")) == device:
                    _state(file, bench, state, gathered, beside)
            settings = _settings(values, bench, device, devices)
            contents.extend(gathered.contents(settings))
    if skipped and not contents:
        raise file.failed(f"no state ran; {plain(gathered.reasons[0])}")
    if beside.files:
        gathered.notes.append(
            f"samples come from {beside.files} files beside this one; the sha256 of all in order "
            f"is {beside.digest.hexdigest()}"
        )
    return imported(file, "nvbench", _tool(values), contents, gathered)


def _settings(
    values: dict[str, Any], bench: dict[str, Any], device: str, devices: dict[str, dict[str, str]]
) -> dict[str, str]:
    """Return what makes two runs comparable: the device, the stopping rule, the command line."""
    own = settings_of(bench, skip=("name", "index", "devices", "axes", "states"))
    settings = {"benchmark": plain(bench.get("name")), "device": device, **own}
    settings |= {f"device {name}": text for name, text in devices.get(device, {}).items()}
    argv = sequence(mapping(values.get("meta")).get("argv"))
    if argv:
        settings["argv"] = plain(" ".join(plain(part) for part in argv[:200]), 4000)
    return settings


def _state(
    file: ForeignFile,
    bench: dict[str, Any],
    state: dict[str, Any],
    gathered: Gathered,
    beside: _Beside,
) -> None:
    """Keep one state's numbers and samples, or why it has none."""
    label = _label(bench, state)
    if state.get("is_skipped"):
        why = plain(state.get("skip_reason") or "no reason is given")
        gathered.reasons.append(f"{label} was skipped: {why}")
        return
    summaries = _summaries(state.get("summaries"))
    if not summaries:
        gathered.reasons.append(f"{label} has no summaries")
    for tag, data in summaries.items():
        if not _ASIDE.search(tag) and "value" in data:
            _figure(label, tag, summaries, gathered)
    if _SAMPLES in summaries:
        seconds = _beside(file, summaries[_SAMPLES], beside)
        if isinstance(seconds, Missing):
            gathered.reasons.append(f"{label}, samples: {seconds.reason}")
        else:
            gathered.add_samples(label, seconds)


def _label(bench: dict[str, Any], state: dict[str, Any]) -> str:
    """Return "copy [BlockSize=256 T=F32]"; the device stands in the settings."""
    axes = [mapping(axis) for axis in sequence(state.get("axis_values"))]
    texts = [f"{plain(axis.get('name'), 80)}={plain(axis.get('value'), 80)}" for axis in axes]
    name = plain(bench.get("name"))
    return plain(f"{name} [{' '.join(texts)}]" if texts else name)


def _summaries(value: object) -> dict[str, dict[str, Any]]:
    """Return each summary's values by its tag; older files name them and call the list `values`."""
    found: dict[str, dict[str, Any]] = {}
    named = [(plain(name), mapping(one)) for name, one in mapping(value).items()]
    tagged = [(plain(one.get("tag")), one) for one in map(mapping, sequence(value))]
    for tag, one in (*named, *tagged):
        pairs = [mapping(p) for p in sequence(one.get("data") or one.get("values"))]
        data = {plain(p.get("name")): p.get("value") for p in pairs}
        found[tag] = {"hint": one.get("hint"), **data}
    return found


def _figure(label: str, tag: str, summaries: dict[str, dict[str, Any]], gathered: Gathered) -> None:
    """Keep one summary with its unit; a mean takes the spread and the count of its sample."""
    data = summaries[tag]
    hint = data.get("hint")
    unit = _UNITS.get(hint, "") if isinstance(hint, str) else ""
    if isinstance(data["value"], str) and isinstance(amount(data["value"]), Missing) and not unit:
        return  # a text of the benchmark's own is no number that went missing
    family, _, last = tag.rpartition("/")
    estimator = _ESTIMATORS.get(last, "not stated")
    count = positive(_value(summaries, "/".join(tag.split("/")[:2]) + "/sample_size"))
    if estimator != "not stated" and not isinstance(count, Missing):
        estimator = f"{estimator} of {count:.0f} samples"
    spread = _value(summaries, f"{family}/stdev/absolute") if last == "mean" else None
    value = positive(data["value"]) if unit == "s" else amount(data["value"])
    gathered.add(plain(f"{label} {tag}"), value, unit, estimator, spread=not_negative(spread))


def _value(summaries: dict[str, dict[str, Any]], tag: str) -> object:
    return cast("object", summaries.get(tag, {}).get("value"))


def _beside(
    file: ForeignFile, data: dict[str, Any], beside: _Beside
) -> tuple[float, ...] | Missing:
    """Return samples of the file that a summary names, if it lies in this file's own folder."""
    named, count = data.get("filename"), amount(data.get("size"))
    found = _BESIDE.match(named.replace("\\", "/")) if isinstance(named, str) else None
    if not found or isinstance(count, Missing) or not 0 < count <= beside.left:
        return Missing(reason="the file or the number of samples that is named is none to read")
    folder = file.path.resolve().parent
    path = (folder / found["folder"] / found["file"]).resolve()
    if not path.is_relative_to(folder) or not path.is_file():
        return Missing(reason=f"{plain(found['folder'])}/{found['file']} is not beside this file")
    with path.open("rb") as stream:
        packed = stream.read(int(count) * 4 + 1)
    if len(packed) != int(count) * 4:
        return Missing(reason=f"{path.name} does not hold the {count:.0f} samples that are named")
    seconds = struct.unpack(f"<{int(count)}f", packed)
    if not all(0 < one < float("inf") for one in seconds):
        return Missing(reason=f"{path.name} holds a sample that is no duration")
    beside.left -= int(count)
    beside.files += 1
    beside.digest.update(packed)
    return seconds


def _tool(values: dict[str, Any]) -> str | Missing:
    version = mapping(mapping(mapping(values.get("meta")).get("version")).get("nvbench"))
    text = version.get("string")
    if not isinstance(text, str):
        return Missing(reason="the file does not name the version of NVBench")
    return plain(f"NVBench {text}")
