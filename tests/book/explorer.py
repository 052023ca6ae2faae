"""The explorer in a browser, and what Python says of its states."""

import json
from contextlib import contextmanager
from urllib.parse import urlsplit

import reader
from mixtures import data, exact

READY = "document.getElementById('explorer').dataset.ready"


@contextmanager
def opened(browser, server, state="", look="light", **other):
    """Yield the explorer in a state, once it has settled; nothing may go wrong behind it."""
    with reader.opened(browser, look, **other) as (page, listener):
        page.goto(f"{server}/book/explorer.html{state and '#' + state}")
        settled(page)
        yield page
        assert listener.errors == []
        hosts = {urlsplit(url).netloc for url in listener.requests if not url.startswith("data:")}
        assert hosts == {urlsplit(server).netloc}


def settled(page):
    """Wait until the page has computed its state, and return its numbers."""
    reader.until(page, READY)
    return json.loads(page.evaluate(READY))


def chains(page, draws):
    """Wait until each chain has so many draws, and return what the page knows of them."""
    known = "JSON.parse(document.getElementById('explorer').dataset.chains)"
    reader.until(page, f"{known}.draws >= {draws}")
    return page.evaluate(known)


def number(page, name):
    """Return a number as the page writes it."""
    return page.locator(f"[data-number={name}]").inner_text()


def python(seed=8, n=100, separation=2.0, weight=0.5, prior=10.0):
    """Return data and exact posterior of a state."""
    weights = (weight, round(1 - weight, 6))
    if weight == 0.5:
        x = data.simulate(seed, n, separation)
    else:
        x, _ = data.draw(seed, n, (separation / 2, -separation / 2), (1, 1), weights[::-1])
    return x, exact.posterior(x, prior, weights=weights)
