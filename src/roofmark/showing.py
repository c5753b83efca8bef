"""Showing: what a notebook displays of a value, asked of the pages when a notebook asks.

In: a value and a form. Out: HTML or Markdown. A record cannot import the pages, which stand above
it; so the module is found by name, as `roofmark.judge` is, and only when something is displayed.
"""

import importlib
from typing import Any, Literal


def shown_as(form: Literal["html", "markdown"], value: Any) -> str:
    """Return what a notebook displays of a verdict or a bundle."""
    return getattr(importlib.import_module("roofmark.reports.notebook"), form)(value)
