"""Look at pages as readers do: screenshots (desktop, phone, dark) and axe-core's findings.

    python tools/page_shots.py report.html -o shots --axe node_modules/axe-core/axe.min.js

Needs `pip install playwright` and a Chromium of the system (--browser names another); axe-core
comes from `npm install axe-core`. Exit code 1 if axe finds anything serious, or a page fails.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

# Chosen: a laptop, the narrowest phone that many have, the laptop at night.
MODES = {
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
}
# Chosen: charts are drawn within a second on a slow machine; waiting costs nothing here.
_DRAWN_MS = 1500


def look(browser: Browser, page: Path, args: argparse.Namespace) -> int:
    """Take the pictures of one page and return how many faults it has."""
    faults = 0
    for mode, settings in MODES.items():
        shown = browser.new_context(**settings).new_page()
        said: list[str] = []
        shown.on("console", lambda m, said=said: said.append(m.text) if m.type == "error" else None)
        shown.on("pageerror", lambda error, said=said: said.append(str(error)))
        shown.goto(page.resolve().as_uri())
        shown.wait_for_timeout(_DRAWN_MS)
        wide = shown.evaluate("document.documentElement.scrollWidth > innerWidth")
        faults += len(said) + wide
        print(
            f"{page.name} {mode}: {said or 'no error'}{'; wider than the window' if wide else ''}"
        )
        if args.output:
            name = args.output / f"{page.stem}-{mode}.png"
            shown.screenshot(path=name, full_page=not args.fold)
        if args.axe:
            faults += examine(shown, args.axe)
        shown.context.close()
    return faults


def examine(page: Page, axe: Path) -> int:
    """Print what axe finds with every fold open, and return how much of it is serious."""
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    page.evaluate(axe.read_text(encoding="utf-8"))
    found: dict[str, Any] = page.evaluate("axe.run(document)")
    for each in found["violations"]:
        places = ", ".join(str(node["target"][0])[:60] for node in each["nodes"][:3])
        print(f"  {each['impact']}: {each['id']}: {each['help']} ({len(each['nodes'])}: {places})")
    serious = [each for each in found["violations"] if each["impact"] in ("serious", "critical")]
    print(f"  axe {found['testEngine']['version']}: {len(found['passes'])} rules pass, "
          f"{len(found['violations'])} do not, {len(serious)} of them serious")  # fmt: skip
    return len(serious)


def main() -> int:
    """Look at every page that is named."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pages", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, help="folder for screenshots")
    parser.add_argument("--fold", action="store_true", help="only what is seen without scrolling")
    parser.add_argument("--axe", type=Path, help="axe.min.js")
    parser.add_argument("--browser", default="/usr/bin/chromium")
    args = parser.parse_args()
    if args.output:
        args.output.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=args.browser, args=["--no-sandbox"])
        faults = sum(look(browser, page, args) for page in args.pages)
        browser.close()
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
