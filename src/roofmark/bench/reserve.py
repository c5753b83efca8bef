"""Crews that are started ahead of their turn, as many side by side as there are cores for.

In: posts, the size of the arena, how many sets may follow. Out: one crew after another, each of
processes that have loaded nothing yet. Starting is importing torch: seconds of one core for each
process, and longer than most sets are measured for. Who waits in reserve has imported our own code
alone, and no crew starts while another one is timed, whose time it would take. Nobody is timed
while the negative controls are tried, so the first sets start beside those.
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
            self._start(posts, arena, min(sets, self._room() // (len(posts) + 1)) or 1)
        for crew in self._waiting:
            crew.await_start()
        crew = self._waiting.pop(0)
        crew.open()
        return crew

    def call_untimed(self, posts: list[Post], arena: int) -> ProcessCrew:
        """Return a crew at work that nobody times, whoever waits. Raises: StudyError."""
        crew = ProcessCrew(self.order, posts, arena=arena)
        crew.open()
        return crew

    def start_beside(self, posts: list[Post], arena: int, *, sets: int, others: int) -> None:
        """Start crews for so many sets where there is room for them beside other processes."""
        self._start(posts, arena, min(sets, (self._room() - others) // (len(posts) + 1)))

    def close(self) -> None:
        """End whoever waits."""
        while self._waiting:
            self._waiting.pop().close()

    def _start(self, posts: list[Post], arena: int, crews: int) -> None:
        for _ in range(crews):
            self._waiting.append(ProcessCrew(self.order, posts, arena=arena))

    def _room(self) -> int:
        """Return how many processes may start side by side."""
        free = read_available_memory(Host())
        room = 0 if isinstance(free, Missing) else free // _FREE_SHARE // _PROCESS_BYTES
        return min(len(self.order.cores), room, _MOST_PROCESSES)
