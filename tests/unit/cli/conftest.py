"""A bundle to look at, and a way to call the command line as a process would."""

import pytest
from small import write_bundle

from roofmark.cli import main


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    return write_bundle(tmp_path_factory.mktemp("bundles") / "b")


@pytest.fixture
def call(capfd):
    """Return a function: arguments -> (exit code, stdout, stderr)."""

    def run(*arguments):
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return code, out, err

    return run
