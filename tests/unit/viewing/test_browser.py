"""The viewer as a person uses it, in a real browser: list, filter, open, drill, compare, follow."""

import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from scenes import Bench, open_viewer

from roofmark.viewing.app import make_app
from roofmark.viewing.server import listen

BROWSER = Path("/usr/bin/chromium")
playwright = pytest.importorskip(
    "playwright.sync_api", reason="the browser test needs: pip install playwright"
)
pytestmark = pytest.mark.skipif(
    not BROWSER.exists(), reason=f"the browser test needs the distribution's chromium at {BROWSER}"
)


@contextmanager
def served(folder, cache):
    """Serve a folder from a thread; yield its address."""
    shelf, _ = open_viewer(folder, cache)
    with listen(0) as listener:
        config = uvicorn.Config(make_app(shelf), log_level="error", lifespan="off")
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(20)
        shelf.stop()


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=str(BROWSER), args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser):
    """A page in which every message of the browser, policy violations among them, is a failure."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    assert said == []
    context.close()


def test_from_the_list_to_samples_to_a_comparison(page, folder, cache):
    with served(folder, cache) as address:
        page.goto(address)
        page.keyboard.press("/")
        page.keyboard.type("day")
        page.keyboard.press("Enter")
        page.wait_for_url("**text=day**", wait_until="load")
        assert page.locator("tbody tr").count() == 3
        page.select_option("select[name=verdict]", "slower")
        page.wait_for_url("**verdict=slower**", wait_until="load")
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("x")
        assert page.locator("#chosen").inner_text() == "A: monday; choose one more."
        page.goto(f"{address}/?text=tuesday")
        page.keyboard.press("j")
        page.keyboard.press("x")
        assert page.locator("#chosen").inner_text() == "A: monday, B: deep/tuesday"
        page.keyboard.press("c")
        page.wait_for_url("**/compare?with=monday&with=deep%2Ftuesday")
        assert "B against A" in page.locator("h1").inner_text()
        page.click("main a:has-text('deep/tuesday')")
        page.wait_for_selector("text=Whole report")
        page.click("a.open >> nth=0")
        page.wait_for_selector("svg.marks", timeout=60_000)
        page.click("#visits summary")
        assert "µs" in page.locator("td.samples").first.inner_text()
        page.click("text=How fast was built")
        assert "sass sm_90a" in page.locator("main").inner_text()


def test_a_run_is_followed_without_reloading_until_it_is_sealed(page, folder, cache):
    with served(folder, cache) as address:
        page.goto(address)
        page.evaluate("window.sameDocument = true")
        bench = Bench(folder / "now")
        page.wait_for_selector("a.open:has-text('now')", timeout=30_000)
        assert page.evaluate("window.sameDocument")
        page.click("a.open:has-text('now')")
        page.wait_for_selector("text=0 of 2 workloads decided")
        page.evaluate("window.sameDocument = true")
        bench.go(2)
        page.wait_for_selector("text=Sets of processes: 4", timeout=30_000)
        page.focus("a.open >> nth=1")
        focused = page.evaluate("document.activeElement.id")
        bench.go(5)
        page.wait_for_selector("text=Sets of processes: 14", timeout=30_000)
        assert page.evaluate("document.activeElement.id") == focused != ""
        bench.seal()
        page.wait_for_selector("text=Whole report", timeout=30_000)
        assert page.evaluate("window.sameDocument")


def test_a_run_that_is_killed_is_told(page, folder, cache):
    scene = [sys.executable, str(Path(__file__).with_name("scenes.py")), str(folder / "now"), "9"]
    paths = ":".join(sys.path)
    with served(folder, cache) as address:
        with subprocess.Popen(scene, env={"PYTHONPATH": paths}) as process:
            page.goto(address)
            page.wait_for_selector("a.open:has-text('now')", timeout=60_000)
            page.click("a.open:has-text('now')")
            page.wait_for_selector("text=Being measured")
            process.kill()
        page.wait_for_selector("text=Interrupted", timeout=30_000)
        assert "roofmark run --resume" in page.locator("main").inner_text()


def test_a_phone_scrolls_one_way_only(browser, folder, cache):
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark")
    page = context.new_page()
    with served(folder, cache) as address:
        cell = "/cell?at=monday&workload=n1&solution=fast"
        for path in ("/", "/bundle?at=monday", cell, "/solution?at=monday&solution=fast"):
            page.goto(address + path)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
    context.close()
