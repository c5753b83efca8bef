"""Everything that can be known to be wrong with a study before anything runs.

In: a study, where its parts were written, and (if they were read) its sources. Out: every problem
at once, or the study as it will be stored: what comes back from its own JSON.
"""

from collections.abc import Mapping

from msgspec import UnsetType

from roofmark.errors import Problem, StudyError
from roofmark.records import decode, encode
from roofmark.study import Study
from roofmark.validation.places import Places as Places
from roofmark.validation.places import Spot
from roofmark.validation.places import find_places as find_places
from roofmark.validation.question import find_question_problems
from roofmark.validation.question import find_size_problems as find_size_problems
from roofmark.validation.serving import find_serving_problems
from roofmark.validation.sources import find_source_problems
from roofmark.validation.tensors import find_tensor_problems
from roofmark.validation.types import find_type_problems
from roofmark.validation.variants import find_variant_problems

__all__ = ["Places", "check_study", "find_places", "find_problems", "find_size_problems"]


def find_problems(
    study: Study, places: Places | None = None, contents: Mapping[str, bytes] | None = None
) -> list[Problem]:
    """Return every problem of a study; of one with ill-typed fields, those fields alone."""
    places = places or Places()
    badly_typed = list(find_type_problems(study, Study, Spot(places)))
    if badly_typed:
        return badly_typed
    study = _as_stored(study)
    if not isinstance(study.serving, UnsetType):
        return list(find_serving_problems(study, contents or {}, places))
    found = [*find_question_problems(study, places), *find_tensor_problems(study, places)]
    found += find_variant_problems(study, places) if not found else ()
    return [*found, *find_source_problems(study, contents or {}, places)]


def check_study(
    study: Study, places: Places | None = None, contents: Mapping[str, bytes] | None = None
) -> Study:
    """Return the study as it will be stored. Raises: StudyError with every problem at once."""
    problems = find_problems(study, places, contents)
    if problems:
        raise StudyError(*problems)
    return _as_stored(study)


def _as_stored(study: Study) -> Study:
    return decode(encode(study), Study, where="study.json")
