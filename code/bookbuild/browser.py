"""A Chromium, for the PDF and for the tests that look at pages: one that is there, or one that can be had.

``make`` runs this as ``python -m bookbuild.browser``, which says nothing where one is there.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ON_PATH = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ON_A_MAC = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
QUIET = (
    *("--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
HOW = "install Chromium or Google Chrome, or set CHROMIUM to the path of one"
# seconds after which a download is given up, and those for each of Playwright's five tries to reach its server
PATIENCE, TRY = 300, 10
SHELL = "chromium-headless-shell"


def find():
    """Return the path of a Chromium of this machine, or None."""
    names = [os.environ.get("CHROMIUM"), *map(shutil.which, ON_PATH), *filter(os.path.exists, ON_A_MAC)]
    return next(filter(None, names), None) or _shell()


def get():
    """Return the path of a Chromium, which is got from wherever it can be had where there is none, or None."""
    found = find()
    if found is None:
        print("no browser found: trying to get one, which may take some minutes", file=sys.stderr, flush=True)
        _playwright("install", SHELL, PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT=str(1000 * TRY))
        found = _shell()
    # no such user elsewhere, nor such a command
    if found is None and shutil.which("apt-get") and os.geteuid() == 0:
        _said("apt-get", "update", "-qq")
        _said("apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium", DEBIAN_FRONTEND="noninteractive")
        found = find()
    return found


def _shell():
    """Return the path of Playwright's own headless shell where it is there and runs, or None."""
    place = re.search(r"Install location: *(.*headless_shell.*)", _playwright("install", "--dry-run", SHELL))
    programs = Path(place[1]).rglob("*headless[-_]shell*") if place else []
    # it runs where the system has the libraries that it needs
    return next((str(one) for one in programs if one.is_file() and os.access(one, os.X_OK) and _said(one, "--version")), None)


def _playwright(*arguments, **environ):
    return _said(sys.executable, "-m", "playwright", *arguments, **environ)


def _said(*command, **environ):
    """Return what a command says, or nothing where it fails or does not end."""
    # no pipe: what a command leaves behind would hold its other end
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        try:
            subprocess.run(
                command, env=os.environ | environ, stdout=said, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                timeout=PATIENCE, check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return ""
        said.seek(0)
        return said.read()


if __name__ == "__main__" and get() is None:
    print(f"no browser can be had: {HOW}", file=sys.stderr)
