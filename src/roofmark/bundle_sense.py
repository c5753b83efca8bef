"""Does a bundle make sense: could a run have written this, whoever sealed it?

In: a study, a trace and the place where it is filed, a file and the digest in its name. Out:
nothing, or BundleError RM440. A seal says that bytes are as they were sealed, not by whom; whoever
can write a manifest can write any record, so what is read is checked as a study is before it runs.
"""

from collections.abc import Mapping

import msgspec

from roofmark.codes import problem
from roofmark.errors import BundleError, Problem
from roofmark.evidence import Trace
from roofmark.records import digest
from roofmark.study import Study, twin_of
from roofmark.validation import Places, find_problems, find_size_problems

# What the options of a run may have made of a sound study: held-out workloads alone (for a
# confirmation), a time limit below the call limit.
NARROWED = ("RM106", "RM124")
# Chosen: the first few tell what kind of thing is wrong.
_MOST_TOLD = 5

Roles = Mapping[tuple[str, str], str]
"""Workload id and solution -> the role of its traces."""


def check_asked(study: Study, where: str) -> None:
    """Check that this study could have been asked. Raises: BundleError RM440."""
    found = list(find_size_problems(study, Places())) or find_problems(study)
    told = [each for each in found if each.code not in NARROWED]
    if told:
        raise BundleError(*(_as_evidence(each, where) for each in told[:_MOST_TOLD]))


def roles_of(study: Study) -> Roles:
    """Return the role of every trace that a run of this study may write."""
    names = {each.name: "solution" for each in study.solutions}
    names |= {each.name: "wrong" for each in study.wrong}
    names |= {study.baseline: "baseline", twin_of(study.baseline): "twin"}
    return {(w.id, name): role for w in study.workloads for name, role in names.items()}


def check_filed(trace: Trace, path: str, roles: Roles, where: str) -> None:
    """Check that a trace is one of its study and stands in its file. Raises: BundleError RM440."""
    place = (trace.workload, trace.solution)
    if path != f"traces/{place[0]}/{place[1]}.jsonl":
        raise impossible("a trace that belongs in another file", where)
    if roles.get(place) != trace.role:
        raise impossible(f"a trace with the role {trace.role!r}, which it has not", where)


def is_filed_right(name: str, data: bytes, sha256: str) -> bool:
    """Return whether a file whose name is a digest has that digest; true of every other file."""
    folder, _, rest = name.partition("/")
    if folder == "sources":
        return rest == sha256
    if folder == "builds":
        # Its name is the digest of the record, which the file holds with blanks for people.
        return rest == f"{_digest_of_json(data)}.json"
    return True


def impossible(fact: str, where: str) -> BundleError:
    """Return the error for what no run could have written."""
    mend = "Take the bundle from whoever measured it, and let them sign it."
    return BundleError(problem("RM440", fact, where, mend))


def _digest_of_json(data: bytes) -> str:
    try:
        return digest(msgspec.json.format(data, indent=-1))
    except msgspec.MsgspecError:
        return ""


def _as_evidence(found: Problem, where: str) -> Problem:
    fact = f"a study that cannot be asked: {found.fact} ({found.code})"
    return impossible(fact[:1000], f"{where}/study.json, {found.where[:200]}").problems[0]
