"""Asking: a set of questions to servers of a study, each answer as one row of a file.

In: a study, names of its server legs, questions as GSM8K's JSON lines (`question`, `answer`). Out:
rows that `roofmark accuracy` pairs by question: what was asked, expected and written, how long it
took, or why there is no answer. Nothing here is timing evidence, and nothing is judged: a question
that ran out of time is told apart from one that was answered wrongly, and that is all.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from roofmark.codes import problem
from roofmark.errors import BenchError, StudyError
from roofmark.legs import Server
from roofmark.loading import LoadedStudy
from roofmark.serving import Load

# Chosen: GSM8K has 1,319 questions; a hundred times as many is another kind of file.
MOST_QUESTIONS = 131_900


@dataclass(frozen=True, kw_only=True)
class AskOptions:
    """tokens: most of one answer. streams: questions under way at once. limit: seconds for a leg.

    template: the prompt, `{question}` standing for the question.
    """

    tokens: int = 512
    streams: int = 4
    limit: float = 3600.0
    template: str = "Question: {question}\nAnswer:"


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
    """Start one server leg, ask everything greedily, stop it; yield a row per question.

    Raises: StudyError RM138 for a leg that is no server, BenchError RM139 for one that fails.
    """
    from roofmark.bench.scratch import open_scratch
    from roofmark.bench.serving.client import Client, Questions
    from roofmark.bench.serving.handle import LegFailed
    from roofmark.bench.serving.server import ServerHandle
    from roofmark.served import Fault

    leg = _server(loaded, name)
    solution = replace(loaded.study.solution(name), leg=leg)
    prompts = [options.template.replace("{question}", question) for _, question, _ in questions]
    load = Load(prompt=1, generate=options.tokens, concurrency=options.streams)
    with open_scratch() as folder:
        for path in solution.files:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(loaded.contents[path])
        handle = ServerHandle(solution, folder, loaded.study.protocol)
        try:
            handle.start()
            client = Client(leg, handle.url, limit=options.limit)
            asked = Questions(prompts=prompts, due=(), streams=options.streams)
            found = client.ask(asked, load)
        except LegFailed as failure:
            told = f"{name}: {failure}: {handle.log()[-500:]}"
            mend = "Mend the leg's command; `roofmark run` keeps its whole log."
            raise BenchError(
                problem("RM139", told, loaded.study.definition.name, mend)
            ) from failure
        finally:
            handle.stop()
    for (identity, question, expected), request in zip(questions, found, strict=True):
        row: dict[str, object] = {"leg": name, "id": identity, "question": question}
        row |= {"expected": expected, "output": str(request.output)}
        if request.arrivals:
            row["seconds"] = round(request.arrivals[-1] - request.sent, 6)
        if isinstance(request.ending, Fault):
            late = "timed out: " if request.ending.kind == "late" else f"{request.ending.kind}: "
            row["error"] = late + request.ending.reason
        elif isinstance(request.tokens, int):
            row["finish_reason"] = "length" if request.tokens >= options.tokens else "stop"
        yield row


def _server(loaded: LoadedStudy, name: str) -> Server:
    known = {s.name: s.leg for s in loaded.study.solutions}
    leg = known.get(name)
    if not isinstance(leg, Server):
        servers = ", ".join(n for n, each in known.items() if isinstance(each, Server))
        mend = f"Servers take text: {servers}." if servers else "Give the study a server leg."
        where = loaded.study.definition.name
        raise StudyError(problem("RM138", f"{name!r} is no server of the study", where, mend))
    # An answer ends where the model ends it.
    return replace(leg, exact=False, prompts="text")
