"""Answer rows: what importers of answers share: one object of a file, turned into an `Answer`.

In: a JSON object and which of its keys holds what. Out: an `Answer` whose outcome follows from what
it holds, and the places where the file says otherwise. An error that speaks of time is a time-out;
its message is no answer. A file's own mark (OK, WRONG) is checked, not believed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from roofmark.answers import Answer, Outcome, judged
from roofmark.extraction import AS_GIVEN, RULES, extract_number, same_answer
from roofmark.importers.reported import plain, positive, sequence, text_or_missing
from roofmark.records import Missing

FIELDS: dict[str, tuple[str, ...]] = {
    "id": ("id", "question_id", "i", "idx", "index", "doc_id", "task_id", "qid"),
    "question": ("question", "prompt", "query", "problem"),
    "expected": ("expected", "gold", "target", "ground_truth", "expected_answer"),
    "text": (
        "output", "response", "completion", "generated_text", "generation", "raw_output",
        "raw_tail", "text",
    ),
    "extracted": ("extracted", "got", "prediction", "pred", "extracted_answer"),
    "outcome": ("outcome", "status", "correct", "is_correct"),
    "seconds": ("seconds", "elapsed", "elapsed_s", "latency_s"),
    "finish": ("finish_reason", "stop_reason", "finish"),
    "tokens": ("token_ids", "output_token_ids", "output_ids"),
    "error": ("error", "exception"),
    "leg": ("leg", "arm", "config", "variant"),
}  # fmt: skip
"""What a field is -> keys that tools use for it, the first that is there counts."""

TAILS = ("raw_tail",)
"""Keys that hold the end of a text alone."""

_LATE = re.compile(r"timed?[ _-]?out|deadline exceeded", re.IGNORECASE)
_WORDS: dict[str, Outcome] = {
    "ok": "right", "right": "right", "correct": "right", "pass": "right", "true": "right",
    "1": "right", "1.0": "right", "wrong": "wrong", "incorrect": "wrong", "fail": "wrong",
    "false": "wrong", "0": "wrong", "0.0": "wrong", "timeout": "timed out",
    "timed out": "timed out", "timed_out": "timed out", "error": "errored",
    "errored": "errored", "exception": "errored",
    "not asked": "not asked", "skipped": "not asked", "not_asked": "not asked",
}  # fmt: skip
_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass
class Reader:
    """Turns objects into answers by one set of keys. rule: "" means that of the file or gsm8k/1."""

    keys: Mapping[str, str]
    rule: str = ""
    doubts: list[str] = field(default_factory=list[str])

    def used(self) -> str:
        """Return the rule by which answers are taken."""
        return self.rule or (AS_GIVEN if "extracted" in self.keys else "gsm8k/1")

    def read(self, values: Mapping[str, Any], number: int) -> Answer:
        """Return the answer in one object, the `number`th of its file."""
        get = {what: values.get(key) for what, key in self.keys.items()}
        name = plain(get["id"]) if get.get("id") is not None else str(number)
        said = _WORDS.get(str(get.get("outcome", "")).strip().lower())
        failed = _failure(get, said)
        expected = _expected(get.get("expected"))
        text = failed or text_kept(get.get("text"))
        extracted = failed or self._extracted(get, text)
        outcome = _outcome(failed, said, text, extracted, expected)
        if failed is None and said in ("right", "wrong") and outcome not in (said, "not judged"):
            self.doubts.append(
                f"question {name}: the file says {said}, but {_told(extracted)} was answered and "
                f"{_told(expected)} expected, which is {outcome}"
            )
        return Answer(
            id=name,
            question=text_or_missing(get.get("question"), "the file does not hold it"),
            expected=expected,
            text=text,
            extracted=extracted,
            outcome=outcome,
            seconds=positive(get.get("seconds")),
            finish=text_or_missing(get.get("finish"), "the file does not say"),
            tokens=token_ids(get.get("tokens")),
        )

    def _extracted(self, get: Mapping[str, Any], text: str | Missing) -> str | Missing:
        if self.used() == AS_GIVEN:
            found = get.get("extracted")
            nothing = found is None or not str(found).strip()
            return Missing(reason="the tool found none") if nothing else plain(found, 4000)
        return text if isinstance(text, Missing) else RULES[self.used()](text)


def _failure(get: Mapping[str, Any], said: Outcome | None) -> Missing | None:
    """Return why there is no answer: what the error says, or that the file says so."""
    error = get.get("error")
    if not error and said in ("errored", "timed out"):
        error = get.get("text") or str(get.get("outcome"))
    if error:
        return Missing(reason=plain(error, 600))
    if said == "not asked":
        return Missing(reason="not asked")
    if str(get.get("finish", "")).lower() in ("timeout", "timed_out"):
        return Missing(reason="timed out, says its finish reason")
    return None


def _outcome(
    failed: Missing | None,
    said: Outcome | None,
    text: str | Missing,
    extracted: str | Missing,
    expected: str | Missing,
) -> Outcome:
    if failed is not None:
        if said in ("timed out", "not asked"):
            return said
        return "timed out" if _LATE.search(failed.reason) else "errored"
    if isinstance(text, Missing) and isinstance(extracted, Missing):
        return said or "errored"
    if isinstance(expected, Missing):
        return said or "not judged"
    equal = not isinstance(extracted, Missing) and same_answer(extracted, expected)
    return judged(extracted, expected, equal=equal)


def _expected(value: object) -> str | Missing:
    """Return what is right; of a worked solution the number behind its mark."""
    if value is None or isinstance(value, dict | list):
        return Missing(reason="the file does not say what is right")
    text = plain(value, 4000)
    marked = extract_number(text) if "####" in text else text
    return marked if not isinstance(marked, Missing) else text


def text_kept(value: object) -> str | Missing:
    """Return a model's text as it wrote it; half of a surrogate pair cannot be stored."""
    if not isinstance(value, str):
        return Missing(reason="the file holds no text")
    return _SURROGATES.sub("\ufffd", value)


def token_ids(value: object) -> tuple[int, ...] | Missing:
    """Return token ids; Missing where the list is none of whole numbers."""
    found = sequence(value)
    if not found or not all(type(each) is int and 0 <= each < 1 << 32 for each in found):
        return Missing(reason="the file holds no token ids")
    return tuple(found)


def _told(value: str | Missing) -> str:
    return "nothing" if isinstance(value, Missing) else repr(value)
