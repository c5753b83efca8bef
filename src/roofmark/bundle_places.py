"""Where a record lies in a bundle, for records that say themselves what they are about.

In: a record. Out: its path. Whoever writes it asks, and whoever reads it compares: a record in
another one's place would answer for something that it does not know.
"""

from roofmark.profiled import PairProfile
from roofmark.served import LegProfiled, Served, Stay

Filed = PairProfile | Served | Stay | LegProfiled


def place_of(record: Filed) -> str:
    """Return the record's path in its bundle."""
    match record:
        case PairProfile():
            return f"profiles/{record.workload}/{record.solution}.json"
        case Served():
            pair = f"{record.workload}/{record.solution}"
            return f"serving/requests/{pair}/p{record.process}.json"
        case Stay():
            return f"serving/stays/{record.solution}/p{record.process}.json"
        case LegProfiled():
            return f"serving/tables/{record.workload}/{record.solution}.json"
