"""What CONTRIBUTING.md and README.md tell people to type exists, and the recipes keep the rules of the chapters."""

import re

import pytest
import yaml
from checkout import ROOT
from test_prose import AMERICAN, typed_numbers
from test_workflows import FLOWS, loaded, missing

TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
RECIPES = re.findall(r"^````markdown\n(.*?)^````$", TEXT, re.MULTILINE | re.DOTALL)
DAYS = ("Sundays", "Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays")


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "README.md"])
def test_commands_and_files_exist(name):
    text = (ROOT / name).read_text("utf-8")
    code = "\n".join(re.findall(r"^ *```bash\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL) + re.findall(r"`([^`\n]+)`", text))
    assert "make book" in code
    assert list(missing(code)) == []
    paths = re.findall(r"(?<![\w./-])(?:book|code|tests)/[\w./-]+", text)
    assert [path for path in paths if "NAME" not in path and not (ROOT / path).exists()] == []


@pytest.mark.parametrize("flow", FLOWS, ids=lambda path: path.stem)
def test_every_workflow_has_a_row_with_its_day(flow):
    flow = loaded(flow.read_text("utf-8"))
    row = re.search(rf"^\| {flow['name']} \| (.+) \| .+ \|$", TEXT, re.MULTILINE)
    # one that is only called by others has none
    assert bool(row) == (flow["on"].keys() != {"workflow_call"})
    days = [DAYS[int(entry["cron"].split()[4])] for entry in flow["on"].get("schedule", [])]
    assert [day for day in DAYS if row and day in row[1]] == days


def test_recipes_keep_the_rules_of_chapters():
    assert len(RECIPES) == 3
    for recipe in RECIPES:
        assert list(typed_numbers(recipe)) == []
        assert not AMERICAN.search(recipe)
        for head in re.findall(r"^---\n(.*?)^---$", recipe, re.MULTILINE | re.DOTALL):
            yaml.safe_load(head)
