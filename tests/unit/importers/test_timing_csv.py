"""Timing CSVs: columns, units and warm-up are declared or refused, never guessed."""

import gzip
import os
from pathlib import Path
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roofmark.errors import ImportFailed
from roofmark.foreign import Samples, Series
from roofmark.importers import read_foreign
from roofmark.importers.source import Declared
from roofmark.records import Missing

CASES = Path(
    os.environ.get("ROOFMARK_CASES", Path(__file__).resolve().parents[3].parent / "shared/cases")
)
TEXT = "launch_idx,elapsed_us,bytes,is_warmup\n0,14.5,100,1\n1,12.5,100,0\n2,12.25,100,0\n"


def _read(folder: Path, text: str | bytes, **declared: object) -> Samples:
    path = folder / "timing.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    found = read_foreign(path, format="timing_csv", declared=Declared(**declared))  # pyright: ignore[reportArgumentType]
    (series,) = found.contents
    assert isinstance(series, Series)
    return series.columns[0]


def test_a_column_s_name_tells_its_unit_and_the_file_its_warm_up(tmp_path: Path):
    column = _read(tmp_path, TEXT)
    assert column.label == "elapsed_us" and column.warm_up == 1
    assert column.seconds == pytest.approx([14.5e-6, 12.5e-6, 12.25e-6])


def test_the_caller_knows_better(tmp_path: Path):
    column = _read(tmp_path, TEXT.replace("elapsed_us", "t"), column="t", unit="ms", warm_up=2)
    assert column.seconds[2] == pytest.approx(12.25e-3) and column.warm_up == 2


def test_gzip_is_unpacked_on_the_way(tmp_path: Path):
    assert len(_read(tmp_path, gzip.compress(TEXT.encode())).seconds) == 3


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("", "RM416", "line 1"),
        ("a,elapsed_us\n", "RM416", "line 1"),
        ("a,elapsed_us\n1,2\n3\n", "RM416", "line 3"),
        ("a,elapsed_us\n1,nan\n", "RM416", "line 2"),
        ("a,elapsed_us\n1,-2\n", "RM416", "line 2"),
        ('a,elapsed_us\n1,"2\n', "RM416", "line"),
        ("a,elapsed_us\n" + "x" * (1 << 20) + ",1\n", "RM416", "line 2"),
        (gzip.compress(TEXT.encode(), mtime=0)[:-12], "RM416", "gzip"),
        (gzip.compress(b"a,elapsed_us\n" + b"1,2\n" * 4_000_000, mtime=0), "RM417", "bytes"),
    ],
)
def test_damage_is_named_with_its_place(tmp_path: Path, text: str | bytes, code: str, place: str):
    with pytest.raises(ImportFailed, match=place) as raised:
        _read(tmp_path, text)
    assert raised.value.code == code


@pytest.mark.parametrize("declared", [{"column": "x"}, {"column": "bytes"}, {"warm_up": 3}])
def test_numbers_of_unknown_meaning_are_refused(tmp_path: Path, declared: dict[str, object]):
    with pytest.raises(ImportFailed) as raised:
        _read(tmp_path, TEXT, **declared)
    assert raised.value.code == "RM419"


def test_what_nobody_recognises_says_what_to_do(tmp_path: Path):
    path = tmp_path / "x"
    path.write_bytes(b"\x00\x01")
    with pytest.raises(ImportFailed, match="--format"):
        read_foreign(path)
    with pytest.raises(ImportFailed, match="regular"):
        read_foreign(tmp_path)
    with pytest.raises(ImportFailed, match="No such file"):
        read_foreign(tmp_path / "absent")


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300) | st.text(alphabet='a_us,"\n\r01.e-nif\t', max_size=200))
def test_no_bytes_crash_it(tmp_path_factory: pytest.TempPathFactory, data: bytes | str):
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    for declared in (Declared(), Declared(column="a_us", unit="us", warm_up=1)):
        try:
            found = read_foreign(path, format="timing_csv", declared=declared)
        except ImportFailed as error:
            assert error.problems[0].mend
        else:
            assert isinstance(found.source.tool, Missing)


@pytest.mark.skipif(not CASES.is_dir(), reason="no folder of real evidence by others")
@pytest.mark.parametrize(
    ("ctas", "true"), [(4, 13713.54), (8, 5164.35), (16, 2677.15), (32, 1628.06)]
)
def test_medians_of_a_published_sweep(ctas: int, true: float):
    path = CASES / f"wo-k-parallel/timing/{ctas}cta/timing.csv"
    (series,) = read_foreign(path, declared=Declared(warm_up=1)).contents
    assert isinstance(series, Series)
    (column,) = series.columns
    assert median(column.seconds[1:]) == pytest.approx(true * 1e-6, rel=1e-5)
