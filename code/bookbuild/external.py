"""Do the places that the book links to still answer? Run as ``python -m bookbuild.external``; ``make links`` does.

A dead link is news and no failure: whoever keeps that place may have moved it, be down for an hour or turn robots away.
"""

import json
import subprocess
import sys
from pathlib import Path

import yaml

# Sphinx's words for a link that answers
FINE = {"working", "redirected"}


def ask(root):
    """Have Sphinx ask every link, and return what it found.

    Nothing is executed, for outputs link to nothing; and the build has a folder of its own, beside that of the pages.

    Parameters
    ----------
    root : pathlib.Path
        The top of the book.

    Returns
    -------
    list of dict
        Links to other places, each with its page, line, address, status and what was answered.
    """
    folder = root / "_build" / "links"
    found = folder / "_build" / "html" / "output.json"
    config = yaml.safe_load((root / "_config.yml").read_text("utf-8"))
    config["execute"]["execute_notebooks"] = "off"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yml").write_text(yaml.safe_dump(config), "utf-8")
    found.unlink(missing_ok=True)
    press = [Path(sys.executable).with_name("jupyter-book"), "build", root, "--builder", "linkcheck"]
    command = [*press, "--path-output", folder, "--config", folder / "config.yml"]
    # it fails where a link is dead, and whenever a number is glued that no chapter has measured in this run
    run = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if not found.is_file():
        sys.exit(f"the links cannot be asked:\n{run.stdout[-3000:]}")
    links = map(json.loads, found.read_text("utf-8").splitlines())
    return [link for link in links if link["uri"].startswith(("http:", "https:"))]


def report(links):
    """Say in Markdown which links do not answer.

    Parameters
    ----------
    links : list of dict
        As `ask` returns them.

    Returns
    -------
    str
    """
    dead = sorted((link for link in links if link["status"] not in FINE), key=lambda link: link["uri"])
    lines = [f"# {len(dead)} of {len(links)} external links do not answer", ""]
    if dead:
        lines += ["| where | link | answer |", "|---|---|---|"]
    for link in dead:
        answer = f"{link['status']}: {link['info']}".replace("|", r"\|").replace("\n", " ")
        lines.append(f"| {link['filename']}:{link['lineno']} | {link['uri']} | {answer} |")
    return "\n".join(lines) + "\n"


def main():
    """Ask all links, and write and print the report."""
    root = Path.cwd()
    if not (root / "_config.yml").is_file():
        sys.exit("no _config.yml: run this at the top of the book")
    said = report(ask(root))
    (root / "_build" / "links.md").write_text(said, "utf-8")
    print(said, end="")


if __name__ == "__main__":
    main()
