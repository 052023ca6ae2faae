"""A reader's browser: what it shows, what it loads and what goes wrong behind a page."""

import gzip
import time
from contextlib import contextmanager

from axe_playwright_python.sync_playwright import Axe

# milliseconds: generous, for no test is about time
PATIENCE = 240_000
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
LOOKS = {
    "light": {"color_scheme": "light", "viewport": WIDE},
    "dark": {"color_scheme": "dark", "viewport": WIDE},
    "telephone": {"color_scheme": "light", "viewport": NARROW, "has_touch": True},
    "dark telephone": {"color_scheme": "dark", "viewport": NARROW, "has_touch": True}}


class Listener:
    """What a page loads, and what goes wrong behind it."""

    def __init__(self, page):
        self.errors, self.requests, self.responses = [], [], []
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("requestfailed", lambda request: self.errors.append(f"failed: {request.url}"))
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("response", self._answered)

    def _said(self, message):
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def _answered(self, response):
        if response.status >= 400:
            self.errors.append(f"{response.status}: {response.url}")
        if not response.url.startswith("data:"):
            self.responses.append(response)

    def weight(self):
        """Return how many bytes came, each file gzipped if that is smaller, and how many files."""
        bodies = [response.body() for response in self.responses]
        return sum(min(len(body), len(gzip.compress(body))) for body in bodies), len(bodies)


@contextmanager
def opened(browser, look, **other):
    """Yield a fresh page, and what it says when something goes wrong."""
    context = browser.new_context(**LOOKS[look] | other)
    context.set_default_timeout(PATIENCE)
    try:
        page = context.new_page()
        yield page, Listener(page)
    finally:
        context.close()


def until(page, expression, arg=None, timeout=PATIENCE):
    """Wait until something is so in the page, for at most so many milliseconds.

    Playwright's own waiting evaluates text inside the page, which the page's policy refuses.
    """
    deadline = time.monotonic() + timeout / 1000
    while not page.evaluate(expression, arg):
        assert time.monotonic() < deadline, f"not so after {timeout} ms: {expression}"
        page.wait_for_timeout(20)


def settle(page):
    """Have everything in the page loaded, as for a reader who scrolls, and wait for all of it."""
    page.evaluate(
        """() => Promise.allSettled([...document.images].map((image) => {
          image.loading = "eager";
          return image.decode();
        }))"""
    )
    page.wait_for_load_state("networkidle")
    page.evaluate("document.fonts.ready.then(() => true)")


def violations(page, **options):
    """Return what axe finds wrong by its options: rules, and the elements that break them."""
    # passes are not asked for: listing them takes longer than finding the faults
    wanted = {"resultTypes": ["violations"]} | options
    found = Axe().run(page, options=wanted).response["violations"]
    return {one["id"]: [node["html"] for node in one["nodes"]] for one in found}
