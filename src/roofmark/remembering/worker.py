"""The worker: opens bundles, judges those that no index knows, in a process of its own if need be.

In: paths. Out: `Read` for each, or the reason why it cannot be read. Every byte is checked against
the manifest before it is believed. Nothing that a bundle holds ends the work on the others.
"""

import contextlib
import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from roofmark.analysis.judge import judge_whole
from roofmark.analysis.summaries import summarise_judged
from roofmark.analysis.verdict import Verdict
from roofmark.bundle import Bundle, open_bundle
from roofmark.errors import RoofmarkError
from roofmark.remembering.index import Index, Kept, pack, unpack_summary, unpack_verdict

Extract = Callable[[Bundle, Verdict], bytes]
"""What else a caller wants of every bundle; a function of a module, so that it can travel."""


@dataclass(frozen=True, slots=True)
class Read:
    """One bundle that was opened, with what judging it gave. fresh: no index knew it."""

    kept: Kept
    fresh: bool
    extracted: bytes


def read_some(paths: Sequence[Path], index: Path, extract: Extract | None) -> list[Read | str]:
    """Read bundles; a text says why one cannot be read."""
    with Index(index) as opened:
        return [_read(path, opened, extract) for path in paths]


def read_share(paths: Sequence[Path], index: Path, extract: Extract | None) -> list[Read | str]:
    """Read bundles in a process that was prepared by `begin`, and leave it as it was found."""
    results = read_some(paths, index, extract)
    gc.collect()
    return results


def _read(path: Path, index: Index, extract: Extract | None) -> Read | str:
    try:
        return _judge(open_bundle(path), index, extract)
    except RoofmarkError as error:
        return error.problems[0].fact
    except Exception as error:
        # Sealed bytes can say anything; what judging them cannot handle is named, not fatal.
        return f"judging it failed, please report it: {type(error).__name__}: {error}"


def _judge(bundle: Bundle, index: Index, extract: Extract | None) -> Read:
    kept = index.kept(bundle.digest)
    if kept is not None:
        # What cannot be decoded was damaged on its way; the bundle is judged once more.
        with contextlib.suppress(ValueError):
            unpack_summary(kept)
            verdict = unpack_verdict(kept.verdict)
            return Read(kept=kept, fresh=False, extracted=_extract(bundle, verdict, extract))
    judged = judge_whole(bundle)
    made = pack(summarise_judged(bundle, judged), judged.verdict)
    return Read(kept=made, fresh=True, extracted=_extract(bundle, judged.verdict, extract))


def _extract(bundle: Bundle, verdict: Verdict, extract: Extract | None) -> bytes:
    return extract(bundle, verdict) if extract is not None else b""


def begin() -> None:
    """Prepare a worker process: Ctrl-C is its parent's, and it does not outlive its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    # Chosen: cycles are looked for once per share and not among what was imported; it takes a
    # quarter of the time else.
    gc.freeze()
    gc.disable()


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
