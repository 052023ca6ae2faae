"""What people are told to type exists, and the recipes keep the rules of the chapters."""

import re

import pytest
import yaml
from checkout import ROOT
from test_prose import AMERICAN, typed_numbers
from test_workflows import FLOWS, cases, loaded, missing

TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
KEEPING = (ROOT / ".github/MAINTAINING.md").read_text("utf-8")
RECIPES = re.findall(r"^````markdown\n(.*?)^````$", TEXT, re.MULTILINE | re.DOTALL)
DAYS = ("Sundays", "Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays")


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", ".github/MAINTAINING.md", "README.md"])
def test_commands_and_files_exist(name):
    text = (ROOT / name).read_text("utf-8")
    code = "\n".join(
        re.findall(r"^ *```bash\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
        + re.findall(r"`([^`\n]+)`", text)
    )
    assert "make book" in code
    assert list(missing(code)) == []
    paths = re.findall(r"(?<![\w./-])(?:book|code|tests|\.github|\.ci)/[\w./-]+", text)
    assert [
        path for path in paths if "NAME" not in path and not (ROOT / path.rstrip(".")).exists()
    ] == []


def test_an_author_need_not_read_more_than_this():
    assert len(TEXT.splitlines()) <= 150


@pytest.mark.parametrize("flow", FLOWS, ids=lambda path: path.stem)
def test_every_workflow_has_a_row_with_its_day_and_so_has_each_case_with_a_name(flow):
    flow = loaded(flow.read_text("utf-8"))
    named = [case["name"] for job in flow["jobs"].values() for case in cases(job) if "name" in case]
    days = [DAYS[int(entry["cron"].split()[4])] for entry in flow["on"].get("schedule", [])]
    rows = re.findall(rf"^\| {flow['name']}(?:, (\w+))? \| (.+) \| .+ \|$", KEEPING, re.MULTILINE)
    assert [name for name, _ in rows] == (named or [""])
    assert all([day for day in DAYS if day in when] == days for _, when in rows)
    # and what to do when it is red
    assert [name for name in named if f"- **{flow['name']}, {name}**" not in KEEPING] == []


def test_recipes_keep_the_rules_of_chapters():
    assert len(RECIPES) == 3
    for recipe in RECIPES:
        assert list(typed_numbers(recipe)) == []
        assert not AMERICAN.search(recipe)
        for head in re.findall(r"^---\n(.*?)^---$", recipe, re.MULTILINE | re.DOTALL):
            yaml.safe_load(head)
