"""Links to other places: all are asked, those that do not answer are named, and nothing is executed for it."""

import re
from pathlib import Path

import pytest
from bookbuild import external
from outside import served

PAGE = """---
kernelspec: {{display_name: Python 3, language: python, name: python3}}
---

# A page

[alive]({0}alive), [dead]({0}dead), [far](two.md), [lost](three.md)

```{{code-cell}} ipython3
raise RuntimeError("executed")
```
"""


@pytest.fixture
def linked(tmp_path):
    """Return a function that writes a small book whose links lead to an address."""

    def write(address):
        (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: one\nchapters:\n  - file: two\n")
        (tmp_path / "_config.yml").write_text("title: Small\nexecute:\n  execute_notebooks: force\n")
        (tmp_path / "one.md").write_text(PAGE.format(address))
        (tmp_path / "two.md").write_text("# Another page\n")
        return tmp_path

    return write


def test_links_are_asked_and_nothing_is_executed(linked, monkeypatch, capsys):
    with served({"/book/alive": [b"yes"]}) as (address, _):
        monkeypatch.chdir(linked(address))
        external.main()
    said = capsys.readouterr().out
    assert said.startswith("# 1 of 2 external links do not answer\n")
    assert re.search(rf"^\| one.md:\d+ \| {address}dead \| broken: 404 ", said, re.MULTILINE)
    assert said == Path("_build/links.md").read_text("utf-8")
    assert "executed" not in "".join(p.read_text("utf-8", "replace") for p in Path("_build").rglob("*.ipynb"))


def test_book_that_cannot_be_read_stops_the_run(linked, monkeypatch):
    monkeypatch.chdir(linked("http://127.0.0.1:9/"))
    Path("_toc.yml").write_text("format: none\n")
    with pytest.raises(SystemExit, match="(?s)the links cannot be asked.*malformed"):
        external.main()
    Path("_config.yml").unlink()
    with pytest.raises(SystemExit, match="top of the book"):
        external.main()
