"""Small folders of bundles for the tests of history and query, and a worker that dies."""

import json
import os
import shutil
from pathlib import Path

from small import write_bundle

from roofmark.querying.rows import extract_rows
from roofmark.records import digest


def write_folder(folder: Path, speedups=(2.0, 2.0, 2.3)) -> Path:
    """Seal bundles b0, b1, ... with these speed-ups."""
    for seed, speedup in enumerate(speedups):
        write_bundle(folder / f"b{seed}", {"fast": speedup}, seed=seed)
    return folder


def begin_bundle(bundle: Path, folder: Path) -> Path:
    """Leave a copy of a bundle as an interrupted run leaves it."""
    shutil.copytree(bundle, folder)
    (folder / "manifest.json").unlink()
    (folder / ".lock").touch()
    return folder


def die_on_b1(bundle, verdict):
    """Extract rows, but end the process at one bundle, as the kernel's killer would."""
    if bundle.path.name == "b1":
        os._exit(9)
    return extract_rows(bundle, verdict)


def reseal(bundle, name, old, new):
    """Change a file and give the manifest its digest."""
    before = (bundle / name).read_bytes()
    assert old in before, before[:400]
    data = before.replace(old, new)
    (bundle / name).write_bytes(data)
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["files"][name] = {"sha256": digest(data), "bytes": len(data)}
    (bundle / "manifest.json").write_text(json.dumps(manifest))
