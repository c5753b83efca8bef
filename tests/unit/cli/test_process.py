"""The command line as a process: pipes and the installed name."""

import subprocess
import sys

COMMAND = [sys.executable, "-c", "from roofmark.cli import console; console()"]


def test_a_reader_that_leaves_is_no_error():
    # `rules` prints more than a pipe's reader takes here; `head` closes it after one line.
    shell = f"{sys.executable} -c 'from roofmark.cli import console; console()' rules | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", shell],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.startswith("RM101")
    assert done.stderr == ""


def test_a_closed_stdout_is_no_error():
    with subprocess.Popen([*COMMAND, "rules"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
        p.stdout.close()
        assert p.stderr.read() == b""
        assert p.wait(60) == 0
