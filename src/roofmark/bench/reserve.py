"""Crews that are started ahead of their turn, as many side by side as there are cores for.

In: posts, the size of the arena, how many sets may follow. Out: one crew after another, each of
processes that have loaded nothing yet. Starting is importing torch: seconds of one core for each
process, and longer than most sets are measured for. Who waits in reserve has imported our own code
alone, and no crew starts while another one is at work, where it would take time from those timed.
"""

from dataclasses import dataclass, field

from roofmark.bench.cpu import read_available_memory
from roofmark.bench.crew import ProcessCrew
from roofmark.bench.host import Host
from roofmark.bench.orders import Order, Post
from roofmark.records import Missing

# Chosen: more than a process holds that has imported torch and loaded nothing; half of what is free
# may be waiting.
_PROCESS_BYTES = 2**29
_FREE_SHARE = 2
# Chosen: in development 16 processes started in 4.5 s on 16 cores, where 4 took 4.0 s. No more,
# however many cores there are: they read the same files and share one memory.
_MOST_PROCESSES = 16


@dataclass
class Reserve:
    """Crews of one run that wait for their turn."""

    order: Order
    _waiting: list[ProcessCrew] = field(default_factory=list["ProcessCrew"])

    def call_up(self, posts: list[Post], arena: int, *, sets: int) -> ProcessCrew:
        """Return a crew at work. sets: how many may be asked for before anything changes.

        Raises: StudyError.
        """
        if not (self._waiting and self._waiting[0].fits(posts, arena)):
            self.close()
            for _ in range(min(sets, self._side_by_side(len(posts) + 1))):
                self._waiting.append(ProcessCrew(self.order, posts, arena=arena))
            for crew in self._waiting:
                crew.await_start()
        crew = self._waiting.pop(0)
        crew.open()
        return crew

    def close(self) -> None:
        """End whoever waits."""
        while self._waiting:
            self._waiting.pop().close()

    def _side_by_side(self, processes: int) -> int:
        free = read_available_memory(Host())
        room = 0 if isinstance(free, Missing) else free // _FREE_SHARE // _PROCESS_BYTES
        return max(1, min(len(self.order.cores), room, _MOST_PROCESSES) // processes)
