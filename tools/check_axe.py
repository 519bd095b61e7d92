"""Look for obstacles to readers with disabilities: python tools/check_axe.py out/docs

Opens every page of the built site in Chromium, light and dark, and runs axe-core on it; of the
coloured sources, which are made alike, the list stands for all. A critical finding is an error.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, sync_playwright


class Quiet(SimpleHTTPRequestHandler):
    """Serve files without a log."""

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


def main(site: Path) -> None:
    """Print what is critical, and exit with 1 if anything is."""
    every = (path.relative_to(site).as_posix() for path in site.rglob("*.html"))
    pages = sorted(name for name in every if not name.startswith("_modules/micrograd/"))
    server = ThreadingHTTPServer(("localhost", 0), partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found: list[str] = []
    named = os.environ.get("MICROGRAD_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=named, args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            page = browser.new_page(color_scheme=scheme)  # type: ignore[arg-type]
            for name in pages:
                page.goto(f"http://localhost:{server.server_port}/{name}", wait_until="load")
                found += [f"{name} ({scheme}): {finding}" for finding in critical(page)]
        browser.close()
    server.shutdown()
    print("\n".join(found) or f"{site}: {len(pages)} pages, nothing critical in light or dark")
    sys.exit(bool(found))


def critical(page: Page) -> list[str]:
    """Return the critical findings on a page, each with the first element that has it."""
    violations = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{v['id']}: {v['help']}, {len(v['nodes'])} times, as in {v['nodes'][0]['html'][:120]}"
        for v in violations
        if v["impact"] == "critical"
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
