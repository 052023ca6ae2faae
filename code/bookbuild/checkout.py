"""What the press knows of the book that it prints: its settings, its pages and its repository."""

import os
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import yaml
from sphinx_external_toc.parsing import parse_toc_yaml

GITHUB = re.compile(
    r"(?:https?://(?:[^@/]*@)?|ssh://git@|git@)github\.com[/:]([\w.-]+)/([\w.-]+?)(?:\.git)?/?"
)
BINDER = "https://mybinder.org"
# the press's own part of ``_config.yml``, and what is made anew when a value changes
CONFIG = [
    ("bookbuild_environment", {}, ""),  # variables of the chapters' kernels
    ("bookbuild_machines", [], ""),  # more of them, for `bookbuild.execute.seeds`
    ("bookbuild_versions", [], ""),  # packages that outputs depend on
    ("bookbuild_package", "", "html"),  # what a downloaded notebook has pip install
    ("bookbuild_measured", "", "html"),  # what gives a notebook the values of its claims
    # whether the site will hold the EPUB and the PDF: `make site` says so, and puts them there
    ("bookbuild_take_away", os.environ.get("BOOK_TAKE_AWAY") == "1", "env"),
    ("bookbuild_press", "", "env"),  # a digest of the press
    ("bookbuild_assets", "", "html"),  # one of styles, scripts and other assets
]


def settings(root="."):
    """Return what ``_config.yml`` tells Sphinx, and with it the press."""
    config = yaml.safe_load((Path(root) / "_config.yml").read_text("utf-8"))
    return config["sphinx"]["config"]


def adopt(config):
    """Set the variables of the chapters' kernels for this process and all that it starts.

    Machine code depends on them, and so the last digits of draws. What is set already stays.
    """
    for name, value in config["bookbuild_environment"].items():
        os.environ.setdefault(name, value)


def pages(root="."):
    """Return the names of the book's pages in the order of its table of contents."""
    toc = parse_toc_yaml(Path(root) / "_toc.yml")
    found, left = [], [toc.root.docname]
    while left:
        found.append(left.pop(0))
        left[:0] = toc[found[-1]].child_files()
    return found


def repository(root=".", environ=os.environ):
    """Return the address of the repository that prints this copy of the book, or None.

    ``GITHUB_REPOSITORY`` (owner/name) comes first, then the git remote ``origin``, if on GitHub.
    """
    named = environ.get("GITHUB_REPOSITORY", "")
    if re.fullmatch(r"[\w.-]+/[\w.-]+", named):
        return f"{environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{named}"
    found = GITHUB.fullmatch(git(root, "remote", "get-url", "origin"))
    return f"https://github.com/{found[1]}/{found[2]}" if found else None


def branch(root="."):
    """Return the name of the repository's default branch, as far as the checkout knows it."""
    head = git(root, "symbolic-ref", "--short", "refs/remotes/origin/HEAD")
    return head.removeprefix("origin/") or "main"


def revision(root=".", environ=os.environ):
    """Return the commit that is being printed, or the default branch where git knows none."""
    return environ.get("GITHUB_SHA") or git(root, "rev-parse", "HEAD") or branch(root)


def edition(root="."):
    """Return the moment of the book's last change, so that two printings of it are the same."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH") or git(root, "log", "-1", "--format=%ct")
    return datetime.fromtimestamp(int(seconds or 0), UTC)


def address(url):
    """Return where GitHub Pages publishes a repository."""
    owner, name = url.split("/")[-2:]
    host = f"{owner.lower()}.github.io"
    return f"https://{host}/" if name.lower() == host else f"https://{host}/{name}/"


def add_links(app, config):
    """Give the theme its repository, edit, issue and Binder buttons and the book its address."""
    url = repository(app.srcdir)
    if url is None:
        return
    config.html_baseurl = config.html_baseurl or address(url)
    config.html_theme_options |= {
        "repository_url": url,
        "repository_branch": branch(app.srcdir),
        "path_to_docs": "",
        "use_repository_button": True,
        "use_edit_page_button": True,
        "use_issues_button": True,
        "launch_buttons": {"binderhub_url": BINDER, "notebook_interface": "jupyterlab"},
    }


def write(path, content):
    """Write the bytes of a file, and never leave half of one in the place of a whole one."""
    new = Path(f"{path}.{os.getpid()}.new")
    new.write_bytes(content)
    os.replace(new, path)


def git(root, *arguments):
    """Return what git answers, or nothing where there is no git, no checkout or no such thing."""
    command = ["git", "-C", str(root), *arguments]
    try:
        run = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return run.stdout.strip() if run.returncode == 0 else ""
