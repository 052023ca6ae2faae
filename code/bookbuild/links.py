"""Links to the repository that printed this copy of the book, and to no other."""

import os
import re
import subprocess

GITHUB = re.compile(r"(?:https?://(?:[^@/]*@)?|ssh://git@|git@)github\.com[/:]([\w.-]+)/([\w.-]+?)(?:\.git)?/?")


def setup(app):
    """Connect to Sphinx."""
    app.connect("config-inited", add_links)


def repository(root, environ=os.environ):
    """Return the repository's address.

    Parameters
    ----------
    root : path-like
        The top of the book.
    environ : mapping
        Its ``GITHUB_REPOSITORY`` (owner/name) comes first, then the git remote ``origin``.

    Returns
    -------
    str or None
        None where neither names a repository on GitHub.
    """
    named = environ.get("GITHUB_REPOSITORY", "")
    if re.fullmatch(r"[\w.-]+/[\w.-]+", named):
        return f"{environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{named}"
    found = GITHUB.fullmatch(_git(root, "remote", "get-url", "origin"))
    return f"https://github.com/{found[1]}/{found[2]}" if found else None


def branch(root):
    """Return the name of the repository's default branch, as far as the checkout knows it."""
    head = _git(root, "symbolic-ref", "--short", "refs/remotes/origin/HEAD")
    return head.removeprefix("origin/") or "main"


def revision(root, environ=os.environ):
    """Return the commit that is being printed, or the default branch where git knows none."""
    return environ.get("GITHUB_SHA") or _git(root, "rev-parse", "HEAD") or branch(root)


def pages(url):
    """Return the address where GitHub Pages publishes a repository."""
    owner, name = url.split("/")[-2:]
    host = f"{owner.lower()}.github.io"
    return f"https://{host}/" if name.lower() == host else f"https://{host}/{name}/"


def add_links(app, config):
    """Give the theme its repository, edit, issue and Binder buttons and the book its address, or none of them."""
    url = repository(app.srcdir)
    if url is None:
        return
    config.html_baseurl = config.html_baseurl or pages(url)
    config.html_theme_options |= {
        "repository_url": url,
        "repository_branch": branch(app.srcdir),
        "path_to_docs": "",
        "use_repository_button": True,
        "use_edit_page_button": True,
        "use_issues_button": True,
        "launch_buttons": {"binderhub_url": "https://mybinder.org", "notebook_interface": "jupyterlab"},
    }


def _git(root, *arguments):
    """Return what git answers, or nothing where there is no git, no checkout or no such thing in it."""
    try:
        run = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return run.stdout.strip() if run.returncode == 0 else ""
