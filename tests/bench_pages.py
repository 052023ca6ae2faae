"""How light is a page? Run by ``make bench``: the weight of every page, and what Lighthouse says of three."""

import gzip
import json
import os
import shutil
import subprocess
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bookbuild.browser import QUIET, get
from playwright.sync_api import sync_playwright
from reader import opened
from test_pages import NAMES

ROOT = Path(__file__).parents[1]
SITE = ROOT / "_build" / "html"
LIGHTHOUSE = "lighthouse@13.5.0"
ASPECTS = ["performance", "accessibility", "best-practices", "seo"]
JUDGED = ["book/index", "book/explorer", "book/identifiability"]


class Gzipping(SimpleHTTPRequestHandler):
    """Serves a folder as GitHub Pages does: text gzipped, and kept for ten minutes."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        """Answer with a file."""
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        body, kind = path.read_bytes(), self.guess_type(path)
        squeezed = kind.startswith("text/") or kind in ("image/svg+xml", "application/json")
        body = gzip.compress(body) if squeezed else body
        self.send_response(200)
        headers = {"Content-Type": kind, "Content-Length": len(body), "Cache-Control": "max-age=600"}
        for name, value in (headers | ({"Content-Encoding": "gzip"} if squeezed else {})).items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Say nothing."""


@contextmanager
def served():
    """Yield the address of the printed book."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Gzipping, directory=SITE)) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


def weights():
    """Print what each page costs before a reader scrolls, and how much of it moves."""
    moved = """new Promise((done) => {
      let sum = 0;
      new PerformanceObserver((list) => { for (const one of list.getEntries()) sum += one.value; })
        .observe({ type: "layout-shift", buffered: true });
      setTimeout(() => done(sum), 500);
    })"""
    print("\npage: KB gzipped, requests and layout shift before scrolling, at 1280 and at 390 px")
    with served() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=get(), args=QUIET)
        for name in [*NAMES, "search"]:
            cells = []
            for look in ("light", "telephone"):
                with opened(browser, look) as (page, listener):
                    page.goto(f"{address}/{name}.html")
                    page.wait_for_load_state("networkidle")
                    size, files = listener.weight()
                    cells.append(f"{size / 1000:6.0f} {files:3} {page.evaluate(moved):6.3f}")
            print(f"{name:24} {'   '.join(cells)}")
        browser.close()


def lighthouse():
    """Print Lighthouse's scores of three pages, on a slow telephone as it imagines one."""
    npm = shutil.which("npm")
    if npm is None:
        print("\nLighthouse: left out, for it needs npm")
        return
    tools = ROOT / "_build" / "npm"
    quiet = ["--no-audit", "--no-fund", "--loglevel", "error"]
    subprocess.run([npm, "install", *quiet, "--prefix", tools, LIGHTHOUSE], check=True, stdout=subprocess.DEVNULL)
    flags = " ".join(("--headless=new", *QUIET))
    print(f"\n{LIGHTHOUSE}: {', '.join(ASPECTS)}; first and largest paint, blocked, shift")
    with served() as address:
        for name in JUDGED:
            run = subprocess.run(
                [tools / "node_modules/.bin/lighthouse", f"{address}/{name}.html", "--quiet", "--output=json", f"--chrome-flags={flags}"],
                env=os.environ | {"CHROME_PATH": get()}, capture_output=True, text=True, check=True,
            )
            report = json.loads(run.stdout)
            scores = [f"{100 * report['categories'][aspect]['score']:4.0f}" for aspect in ASPECTS]
            audits = ("first-contentful-paint", "largest-contentful-paint", "total-blocking-time", "cumulative-layout-shift")
            shown = [report["audits"][audit]["displayValue"].replace("\xa0", " ") for audit in audits]
            print(f"{name:24} {' '.join(scores)}   {', '.join(shown)}")


if __name__ == "__main__":
    weights()
    lighthouse()
