"""Loading: everything that a study names is read once, from its own folder, or refused."""

import os
import sys

import msgspec
import pytest
from small import FILES, FUNCTION, write_bundle, write_study

from roofmark.bundle import MANIFEST, BundleWriter, open_bundle
from roofmark.errors import BundleError, StudyError
from roofmark.loading import MAX_SOURCE_BYTES, load_bundled_study, load_study
from roofmark.records import digest, encode


def problems(source):
    with pytest.raises(StudyError) as caught:
        load_study(source)
    return caught.value.problems


@pytest.mark.parametrize("name", ["", "study.py"])
def test_a_folder_and_its_study_py_are_the_same(tmp_path, name):
    loaded = load_study(write_study(tmp_path) / name)
    assert sorted(loaded.contents) == sorted(set(FILES) - {"study.py"})
    assert loaded.study.files["wrong/zeros.py"] == digest(FUNCTION.encode())
    assert isinstance(loaded.study.solutions, tuple)
    assert loaded.folder == tmp_path


def test_another_file_name_is_a_study_too(tmp_path):
    write_study(tmp_path)
    (tmp_path / "study.py").rename(tmp_path / "mine.py")
    assert load_study(tmp_path / "mine.py").study.baseline == "eager"


def test_an_error_in_study_py_has_its_line_and_the_way_there(tmp_path):
    (tmp_path / "study.py").write_text("import json\n\ndef f():\n    json.loads('{')\n\nf()\n")
    (found,) = problems(tmp_path)
    assert found.code == "RM101"
    assert "JSONDecodeError" in found.fact
    assert found.where.startswith(f"{tmp_path / 'study.py'}:4\n")
    assert len(found.where.splitlines()) <= 7


@pytest.mark.parametrize(
    ("text", "fact", "line"),
    [
        ("x = (\n", "SyntaxError", 1),
        ("import nothing_of_this_name\n", "ModuleNotFoundError", 1),
        ("\nraise SystemExit(0)\n", "SystemExit", 2),
        ("import roofmark as rm\nrm.Study()\n", "TypeError", 2),
        ("import roofmark as rm\nrm.Tensr\n", "AttributeError", 2),
    ],
)
def test_whatever_study_py_raises(tmp_path, text, fact, line):
    (tmp_path / "study.py").write_text(text)
    (found,) = problems(tmp_path)
    assert found.code == "RM101"
    assert fact in found.fact
    assert f"study.py:{line}" in found.where


@pytest.mark.parametrize("text", ["", "study = 3\n"])
def test_a_study_py_without_a_study(tmp_path, text):
    (tmp_path / "study.py").write_text(text)
    assert "study" in problems(tmp_path)[0].fact


def test_ctrl_c_is_not_a_problem_of_the_study(tmp_path):
    (tmp_path / "study.py").write_text("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        load_study(tmp_path)


def test_nothing_there(tmp_path):
    assert problems(tmp_path / "none")[0].code == "RM101"
    assert problems(tmp_path)[0].code == "RM101"


def test_missing_files_are_told_together_with_everything_else(tmp_path):
    write_study(tmp_path, ('baseline="eager"', 'baseline="none"'))
    (tmp_path / "wrong/zeros.py").unlink()
    (tmp_path / "kernel.cpp").unlink()
    found = problems(tmp_path)
    assert sorted(p.code for p in found) == ["RM102", "RM102", "RM105"]
    assert "solution 'zeros', study.py:24" in {p.where for p in found}


def test_a_missing_exact_reference_is_told_at_its_solution(tmp_path):
    change = ('"eager.py::scale"', '"eager.py::scale", exact="own.py::scale"')
    (found,) = problems(write_study(tmp_path, change))
    assert found.code == "RM102" and "'own.py'" in found.fact
    assert "solution 'eager'" in found.where


def test_what_is_no_source(tmp_path):
    write_study(tmp_path / "s")
    for name in ("eager.py", "kernel.cpp", "wrong/zeros.py", "reference.py"):
        (tmp_path / "s" / name).unlink()
    (tmp_path / "outside.py").write_text(FUNCTION)
    (tmp_path / "s/eager.py").symlink_to(tmp_path / "outside.py")
    os.mkfifo(tmp_path / "s/kernel.cpp")
    (tmp_path / "s/wrong/zeros.py").mkdir()
    with (tmp_path / "s/reference.py").open("wb") as file:
        file.truncate(MAX_SOURCE_BYTES + 1)
    facts = {p.fact for p in problems(tmp_path / "s")}
    assert len(facts) == 4
    assert "source 'eager.py' is a link that leads out of the study's folder" in facts
    assert "source 'kernel.cpp' is not a regular file" in facts
    assert any("wrong/zeros.py" in fact for fact in facts)
    assert any(str(MAX_SOURCE_BYTES) in fact for fact in facts)


def test_a_link_inside_the_folder_is_fine(tmp_path):
    write_study(tmp_path)
    (tmp_path / "eager.py").unlink()
    (tmp_path / "eager.py").symlink_to(tmp_path / "reference.py")
    assert load_study(tmp_path).contents["eager.py"] == FUNCTION.encode()


@pytest.mark.parametrize("path", ["../x.py", "/etc/x.py", "wrong/../../x.py", "./x.py"])
def test_a_path_that_leads_out_is_told_once(tmp_path, path):
    write_study(tmp_path, ("eager.py::scale", f"{path}::scale"))
    (tmp_path.parent / "x.py").write_text(FUNCTION)
    found = [p for p in problems(tmp_path) if p.code == "RM102"]
    assert len({p.fact for p in found}) == len(found) >= 1
    assert f"source {path!r} leads out of the study's folder" in {p.fact for p in found}


def test_a_bundle_is_a_study_and_nothing_in_it_runs(tmp_path):
    write_bundle(tmp_path / "b", processes=1)
    found = problems(tmp_path / "b")
    # Its made-by-hand sources hold no `copy`; they were read and parsed, not run.
    assert {p.code for p in found} <= {"RM118", "RM119"}


def test_a_study_json_with_its_sources(tmp_path):
    loaded = load_study(write_study(tmp_path / "s"))
    stored = tmp_path / "t"
    (stored / "sources").mkdir(parents=True)
    (stored / "study.json").write_bytes(encode(loaded.study))
    for data in loaded.contents.values():
        (stored / "sources" / digest(data)).write_bytes(data)
    again = load_study(stored)
    assert again.study == loaded.study
    assert again.contents == loaded.contents
    (stored / "sources" / digest(FUNCTION.encode())).write_bytes(b"changed")
    assert {p.fact for p in problems(stored / "study.json")} == {
        f"source {name!r} was changed since it was measured"
        for name in ("reference.py", "eager.py", "wrong/zeros.py")
    }


def test_a_damaged_bundle_is_refused_as_a_study(tmp_path):
    write_bundle(tmp_path / "b", processes=1)
    (tmp_path / "b" / "study.json").write_bytes(b"{}")
    with pytest.raises(BundleError, match="RM404"):
        load_study(tmp_path / "b")
    (tmp_path / "b" / MANIFEST).unlink()
    with pytest.raises(BundleError, match="RM402"):
        load_study(tmp_path / "b")


NEIGHBOUR = """\
from __future__ import annotations
from dataclasses import dataclass
from typing import ClassVar
import sizes_of_this_study

@dataclass
class Sizes:
    largest: ClassVar[int] = sizes_of_this_study.LARGEST

import roofmark as rm
"""


def test_a_study_py_finds_its_neighbours_and_itself_and_leaves_nothing(tmp_path):
    path, modules = list(sys.path), set(sys.modules)
    for largest in (127, 255):
        folder = write_study(
            tmp_path / str(largest),
            ("import roofmark as rm\n", NEIGHBOUR),
            ("(1, 127)", "(1, Sizes.largest)"),
            **{"sizes_of_this_study.py": f"LARGEST = {largest}\n"},
        )
        # Each folder has a file of this name; the first one must not answer for the second.
        assert load_study(folder).study.workloads[1].axes == {"n": largest}
    assert sys.path == path
    assert not {"roofmark_study", "sizes_of_this_study"} & (set(sys.modules) - modules)


# --- a stranger's bundle -------------------------------------------------------------------------
def keep(folder, study, contents, sources=None):
    """Seal a bundle that holds this study, whatever it says."""
    with BundleWriter(folder) as writer:
        writer.write("study.json", study)
        for data in contents.values():
            writer.write_source(data)
        for name, data in (sources or {}).items():
            writer._put(f"sources/{name}", data)
        writer.seal({})
    return folder


def test_a_kept_study_comes_back_unchanged(tmp_path):
    loaded = load_study(write_study(tmp_path / "s"))
    opened = open_bundle(keep(tmp_path / "b", loaded.study, loaded.contents))
    again = load_bundled_study(opened)
    assert encode(again.study) == encode(loaded.study)
    assert again.contents == loaded.contents
    assert load_study(tmp_path / "b").study == loaded.study


def test_what_options_left_of_a_study_can_be_run_again(tmp_path):
    loaded = load_study(write_study(tmp_path / "s"))
    held = [msgspec.structs.replace(w, held_out=True) for w in loaded.study.workloads]
    protocol = msgspec.structs.replace(loaded.study.protocol, time_limit=5.0)
    asked = msgspec.structs.replace(
        loaded.study,
        workloads=tuple(held),
        protocol=protocol,
        solutions=loaded.study.solutions[:1],
    )
    opened = open_bundle(keep(tmp_path / "b", asked, loaded.contents))
    assert encode(load_bundled_study(opened).study) == encode(asked)


@pytest.mark.parametrize("sealed", [True, False])
def test_a_study_py_that_a_stranger_put_into_a_bundle_does_not_run(tmp_path, sealed):
    folder = write_bundle(tmp_path / "b", processes=1)
    if not sealed:
        (folder / MANIFEST).unlink()
    # Whether it is refused or read as the study that was kept, the file must not run.
    (folder / "study.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    with pytest.raises((BundleError, StudyError)):
        load_study(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("field", ["sources", "prepare", "exact"])
@pytest.mark.parametrize("path", ["../../out.py", "/tmp/out.py", "a/../../out.py", "a\nb.py"])
def test_a_path_in_a_bundle_does_not_lead_out(tmp_path, path, field):
    loaded = load_study(write_study(tmp_path / "s"))
    data = FUNCTION.encode()
    change = {field: (path,) if field == "sources" else f"{path}::scale"}
    eager = msgspec.structs.replace(loaded.study.solutions[0], **change)
    study = msgspec.structs.replace(
        loaded.study,
        solutions=(eager, *loaded.study.solutions[1:]),
        files=loaded.study.files | {path: digest(data)},
    )
    opened = open_bundle(keep(tmp_path / "b", study, loaded.contents))
    with pytest.raises(BundleError, match="RM102"):
        load_bundled_study(opened)


def test_a_source_under_another_ones_digest_is_refused(tmp_path):
    loaded = load_study(write_study(tmp_path / "s"))
    sha256 = digest(b"promised")
    study = msgspec.structs.replace(loaded.study, files=loaded.study.files | {"eager.py": sha256})
    folder = keep(tmp_path / "b", study, loaded.contents, {sha256: FUNCTION.encode()})
    with pytest.raises(BundleError, match="of another digest"):
        load_bundled_study(open_bundle(folder))


def test_a_source_that_is_not_kept_is_named(tmp_path):
    loaded = load_study(write_study(tmp_path / "s"))
    files = {name: sha for name, sha in loaded.study.files.items() if name != "kernel.cpp"}
    study = msgspec.structs.replace(loaded.study, files=files)
    opened = open_bundle(keep(tmp_path / "b", study, loaded.contents))
    with pytest.raises(StudyError, match=r"'kernel\.cpp' is not in the bundle"):
        load_bundled_study(opened)
