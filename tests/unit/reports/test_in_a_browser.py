"""The page in a real browser: every chart is drawn, under its own policy, without a network."""

import re
import shutil
import subprocess

import pytest

from roofmark.reports.charts import draw_charts
from roofmark.reports.html import render_html

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), "")
pytestmark = pytest.mark.skipif(not BROWSER, reason="no Chromium is installed")


@pytest.mark.parametrize("kind", ["many", "hostile"])
def test_every_chart_is_drawn(pages, kind, tmp_path):
    verdict, bundle = pages(kind)
    page = tmp_path / "page.html"
    page.write_text(render_html(verdict, bundle), encoding="utf-8")
    done = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/home",
         "--virtual-time-budget=5000", "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    seen = re.sub(r"<(script|noscript)\b.*?</\1>", "", done.stdout, flags=re.DOTALL)
    drawn = {chart.name for chart in draw_charts(verdict, bundle) if chart.spec}
    assert len(drawn) >= 4
    for name in drawn:
        place = seen.partition(f'id="chart-{name}"')[2].partition("<figcaption>")[0]
        assert "<svg" in place and "This chart failed" not in place, name
    assert "alert(1)" not in re.sub(r">[^<]*<|\"[^\"]*\"", "", seen), "text, never markup"
