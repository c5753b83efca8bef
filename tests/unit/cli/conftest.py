"""A bundle to look at."""

import pytest
from small import write_bundle


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    return write_bundle(tmp_path_factory.mktemp("bundles") / "b")
