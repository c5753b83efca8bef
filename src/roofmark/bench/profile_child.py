"""A profiled child: one process that makes one marked call of one solution.

In: `python -m roofmark.bench.profile_child MODE FOLDER`, with a job in the folder. Out: an answer
in the folder; in mode "watch" also a Chrome trace of the call by torch's profiler (CUPTI activity
records, which cost a kernel nothing); in mode "count" marks around the call (cudaProfilerStart and
-Stop) for a profiler that runs this program.

The reference never runs here. Inputs are drawn from the workload's distributions and a seed of no
run: a profile explains where time goes, and neither checks nor times anything, so no value needs to
be secret. What the solution's own code does to this process cannot move a verdict.
"""

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from roofmark.bench.arena import Arena
from roofmark.bench.cache import Flusher, warm
from roofmark.bench.inputs import distributions, draw_inputs
from roofmark.bench.layout import plan_layout
from roofmark.bench.load import Bound, Entry, load_entry
from roofmark.bench.profile_job import Answer, Called, CallFailed, ProfileJob, paths_in
from roofmark.bench.proof import prove_triton_cache
from roofmark.records import decode, encode

# Chosen: the first call compiles, the second settles what allocates, the third is like the rest.
_WARM_UPS = 3
# Chosen: room for a traceback with a compiler's message; the bundle keeps all of it.
_LOG_CHARACTERS = 8000


def main() -> int:
    """Make the call that the job asks for; return 0 if it was made."""
    mode, folder = sys.argv[1], Path(sys.argv[2])
    job_path, answer_path, trace_path = paths_in(folder)
    try:
        job = decode(job_path.read_bytes(), ProfileJob, where=job_path)
        call = _watched(trace_path) if mode == "watch" else _marked
        said: Called | CallFailed = make_call(job, call)
    except BaseException as error:
        log = getattr(error, "log", "") or traceback.format_exc()
        said = CallFailed(
            reason=f"{type(error).__name__}: {error}"[:_LOG_CHARACTERS], log=log[-_LOG_CHARACTERS:]
        )
    answer_path.write_bytes(encode(Answer(said=said)))
    return 0 if isinstance(said, Called) else 1


def make_call(job: ProfileJob, around: Callable[[Callable[[], Any]], None]) -> Called:
    """Load, draw, warm up, empty or fill the cache as the protocol does, and call once.

    around: makes the call between its marks.
    """
    device = torch.device("cuda")
    entry = load_entry(
        job.solution,
        job.definition,
        Path(job.folder),
        Path(job.library) if job.library else None,
        job.binary or None,
    )
    practice, timed = _bind(job, entry, device)
    flusher = Flusher(job.flush, device)
    for _ in range(_WARM_UPS):
        practice.call()
    if job.cache == "cold":
        flusher.flush()
    else:
        warm(timed.reads)
    torch.cuda.synchronize()
    around(timed.call)
    return Called(build=_proof(entry))


def _bind(job: ProfileJob, entry: Entry, device: torch.device) -> tuple[Bound, Bound]:
    """Return a call to practise on and the one that counts, each on memory of its own."""
    layout = plan_layout(job.definition, job.axes)
    arena = Arena(torch.empty(2 * layout.stride, dtype=torch.uint8, device=device))
    values = distributions(job.definition, job.workload)
    draw_inputs(arena, layout, values, slots=range(2), seed=f"profile/{job.workload.seed}")
    practice, timed = (
        entry.bind(
            {place.name: arena.view(place, layout, slot) for place in layout.inputs},
            {place.name: arena.view(place, layout, slot) for place in layout.outputs},
        )
        for slot in range(2)
    )
    return practice, timed


def _watched(trace: Path) -> Callable[[Callable[[], Any]], None]:
    def watch(call: Callable[[], Any]) -> None:
        from torch.profiler import ProfilerActivity, profile

        both = (ProfilerActivity.CPU, ProfilerActivity.CUDA)
        # The profiler's first start loads CUPTI, and takes a second in which clocks sink.
        with profile(activities=both):
            torch.cuda.synchronize()
        with profile(activities=both) as watched:
            call()
            torch.cuda.synchronize()
        watched.export_chrome_trace(str(trace))

    return watch


def _marked(call: Callable[[], Any]) -> None:
    torch.cuda.profiler.start()
    call()
    torch.cuda.synchronize()
    torch.cuda.profiler.stop()


def _proof(entry: Entry) -> Any:
    if entry.build is None:
        return None
    return prove_triton_cache(entry.build, Path(os.environ["TRITON_CACHE_DIR"]))


if __name__ == "__main__":
    sys.exit(main())
