"""Querying: SQL over the bundles of a folder, which stay the only truth.

In: a folder or an address, and a SELECT. Out: an `Answer`. Tables are filled from opened, verified
bundles (rows.py) into a file of the cache folder (database.py), and asked in a database that can
read nothing else (asking.py). DuckDB comes with the extra `query`.
"""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from roofmark.querying.asking import Answer, ask
from roofmark.querying.database import prepared
from roofmark.remembering import open_source
from roofmark.remembering.index import Index, cache_folder
from roofmark.remembering.reading import Say

__all__ = ["Answer", "query"]


@contextmanager
def query(
    sql: str, where: Path | str = ".", *, cache: Path | None = None, say: Say | None = None
) -> Generator[Answer]:
    """Yield the answer to one SELECT over the bundles below a folder or an address.

    cache: where the index is; by default in the user's cache folder. say: told how far it is.
    Raises: BundleError RM401 where there is no bundle, RM470 without DuckDB, RM471 for an address,
        StudyError RM472 for SQL that cannot be answered, RM473 for SQL that does more than read.
    """
    source = open_source(where)
    with (
        Index(cache or cache_folder()) as index,
        prepared(source, index, say=say) as (path, damaged),
        ask(path, sql, damaged) as answer,
    ):
        yield answer
