"""Bundles that the tests of pages share; each is judged once."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from pages import make_page


@pytest.fixture(scope="session")
def pages(tmp_path_factory):
    """Return a function that gives (verdict, bundle) of a named kind."""
    made = {}
    # These bundles live for a test; waiting for the disk would be most of their time.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)

        def get(kind):
            if kind not in made:
                made[kind] = make_page(kind, tmp_path_factory.mktemp("bundle") / kind)
            return made[kind]

        yield get
