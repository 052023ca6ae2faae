"""What every test shares."""

import os
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from bookbuild import checkout as book
from checkout import ROOT

# numba reads these when it is imported: tests draw what chapters draw, to the last digit
book.adopt(book.settings(ROOT))

import pytest
from bookbuild.takeaway import pdf
from hypothesis import Phase, settings
from playwright.sync_api import sync_playwright

BOOK = settings(derandomize=True, deadline=None, max_examples=100, database=None)
settings.register_profile("book", BOOK)
# ten times as many, and others each time
settings.register_profile("thorough", BOOK, derandomize=False, print_blob=True, max_examples=1000)
# a mutant need not be caught by the smallest of inputs: looking for it takes minutes
settings.register_profile("mutants", BOOK, phases=[Phase.explicit, Phase.generate])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "book"))


@pytest.fixture(scope="session")
def site():
    """Return the folder of the printed book's pages, which `make test` has printed before."""
    folder = ROOT / "_build" / "html"
    if not (folder / "index.html").is_file():
        pytest.fail(f"no pages in {folder}: run `make book` first", pytrace=False)
    return folder


@pytest.fixture(scope="session")
def server(site):
    """Serve the book on this machine, and return its address."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=site)) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


UNSEEN = "no browser: "


# not for the whole session: while Playwright runs, asyncio.run is refused to every other test
@pytest.fixture(scope="module")
def browser():
    """Start a Chromium of this machine; without, a test is skipped, and fails where CI is set."""
    with sync_playwright() as playwright:
        started = pdf.start(playwright)
        if started is None:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(UNSEEN + pdf.HOW)
        yield started
        started.close()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session):
    """Say, below all else, how many tests have not been run for want of a browser."""
    result = yield
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    reports = terminal.stats.get("skipped", []) if terminal else []
    skipped = [report for report in reports if UNSEEN in str(report.longrepr)]
    if skipped:
        count = f"{len(skipped)} tests were skipped"
        terminal.write_line(f"{count}, for they need a browser: {pdf.HOW}")
    return result
