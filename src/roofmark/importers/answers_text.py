"""answers_text: plain text with many answers, parted by lines that are `---` and nothing else.

In: text, named by `--format answers_text` because its bytes do not tell. Out: `Answers` of one leg
without questions: enough to look for degenerate outputs, nothing to judge them by.
"""

from roofmark.answers import Answer, Answers
from roofmark.foreign import Imported
from roofmark.importers.answer_rows import text_kept
from roofmark.importers.json_text import LARGEST_JSON
from roofmark.importers.reported import MOST_ROWS, Gathered, imported, plain, too_many
from roofmark.importers.source import ForeignFile
from roofmark.records import Missing

_RULE = "---"
_NONE = Missing(reason="plain text does not hold it")


def recognises(head: bytes) -> bool:
    """Nothing tells answers from any other text."""
    return False


def read(file: ForeignFile) -> Imported:
    """Return every part of the text as an answer. Raises: ImportFailed RM416, RM417."""
    parts: list[list[str]] = [[]]
    for line in file.text(limit=LARGEST_JSON).split("\n"):
        if line.rstrip("\r") == _RULE:
            parts.append([])
        else:
            parts[-1].append(line)
        if len(parts) > MOST_ROWS:
            raise too_many(file, "answers")
    # What follows the last rule is an answer only if something is written there.
    kept = parts[:-1] if len(parts) > 1 and not "".join(parts[-1]).strip() else parts
    answers = tuple(_answer(number, "\n".join(lines)) for number, lines in enumerate(kept, 1))
    note = f"{len(answers)} texts, parted by lines of {_RULE}"
    legs = [Answers(label=plain(file.path.stem), rule="none", settings={}, answers=answers)]
    tool = Missing(reason="plain text names no tool")
    return imported(file, "answers_text", tool, legs, Gathered(notes=[note]))


def _answer(number: int, text: str) -> Answer:
    return Answer(
        id=str(number), question=_NONE, expected=_NONE, text=text_kept(text), extracted=_NONE,
        outcome="not judged", seconds=_NONE, finish=_NONE, tokens=_NONE,
    )  # fmt: skip
