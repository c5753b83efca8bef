"""Asking: a set of questions to legs of a study, each answer as one row of a file.

In: a study, names of its servers and engines, questions as GSM8K's JSON lines (`question`,
`answer`). Out: rows that `roofmark accuracy` pairs by question: what was asked, expected and
written, how long it took, or why there is no answer. Nothing here is timing evidence, and nothing
is judged: a question that ran out of time is told apart from one that was answered wrongly, and
that is all.
"""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from roofmark.codes import problem
from roofmark.errors import BenchError, StudyError
from roofmark.legs import Engine, Server
from roofmark.loading import LoadedStudy
from roofmark.options import AskOptions, RunOptions
from roofmark.place import choose_device
from roofmark.study import Solution

# Chosen: GSM8K has 1,319 questions; a hundred times as many is another kind of file.
MOST_QUESTIONS = 131_900


def read_questions(path: Path) -> list[tuple[str, str, str]]:
    """Return (id, question, expected answer) of each line. Raises: StudyError RM138."""
    found: list[tuple[str, str, str]] = []
    mend = 'Write one object a line: {"question": "...", "answer": "... #### 18"}.'
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(problem("RM138", f"questions: {error}", str(path), mend)) from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                row: Any = json.loads(line)
                found.append((str(row.get("id", number)), row["question"], row["answer"]))
            except (ValueError, KeyError, AttributeError, RecursionError) as error:
                where = f"{path}:{number}"
                raise StudyError(problem("RM138", "no question", where, mend)) from error
            if not isinstance(row["question"], str) or not isinstance(row["answer"], str):
                raise StudyError(problem("RM138", "no text", f"{path}:{number}", mend))
    if not 0 < len(found) <= MOST_QUESTIONS:
        raise StudyError(problem("RM138", f"{len(found):,} questions", str(path), mend))
    return found


def ask_leg(
    loaded: LoadedStudy, name: str, questions: Sequence[tuple[str, str, str]], options: AskOptions
) -> Iterator[dict[str, object]]:
    """Start one leg, ask everything greedily, stop it; yield a row per question.

    Raises: StudyError RM138 for a leg that takes no questions, BenchError RM139 for one that fails.
    """
    from roofmark.bench.scratch import open_scratch
    from roofmark.bench.serving.asking import ask_engine, ask_server
    from roofmark.bench.serving.handle import LegFailed

    study = loaded.study
    solution = _solution(loaded, name)
    device = choose_device(study, RunOptions(device=options.device))
    prompts = [options.template.replace("{question}", question) for _, question, _ in questions]
    with open_scratch() as folder:
        for path in solution.files:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(loaded.contents[path])
        try:
            if isinstance(solution.leg, Server):
                answers = ask_server(solution, folder, study.protocol, prompts, options)
            else:
                options = dataclasses.replace(options, device=device)
                answers = ask_engine(solution, folder, study.protocol, prompts, options)
        except LegFailed as failure:
            log = getattr(failure.outcome, "log", "")
            mend = "Mend the leg; `roofmark run` keeps its whole log."
            # A traceback ends with the reason; what a server said before it died does not.
            fact = f"{name}: {failure}" + ("" if str(failure) in log else f": {log[-500:]}")
            raise BenchError(problem("RM139", fact, study.definition.name, mend)) from failure
    for (identity, question, expected), answer in zip(questions, answers, strict=True):
        row = {"leg": name, "id": identity, "question": question, "expected": expected}
        yield row | answer


def _solution(loaded: LoadedStudy, name: str) -> Solution:
    """Return a leg that takes questions. Raises: StudyError RM138."""
    known = {s.name: s for s in loaded.study.solutions}
    leg = known[name].leg if name in known else None
    if isinstance(leg, Server):
        # An answer ends where the model ends it.
        return replace(known[name], leg=replace(leg, exact=False, prompts="text"))
    if isinstance(leg, Engine):
        return known[name]
    able = ", ".join(n for n, each in known.items() if isinstance(each.leg, Server | Engine))
    mend = f"These take questions: {able}." if able else "Give the study a server or an engine."
    where = loaded.study.definition.name
    fact = f"{name!r} is no server or engine of the study"
    raise StudyError(problem("RM138", fact, where, mend))
