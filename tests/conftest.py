"""Makes the modules beside it importable from every folder of tests; calls the command line."""

import pytest

from roofmark.cli import main


@pytest.fixture
def call(capfd):
    """Return a function: arguments -> (exit code, stdout, stderr), as a process would."""

    def run(*arguments):
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return code, out, err

    return run
