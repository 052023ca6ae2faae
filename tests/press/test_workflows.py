"""The workflows, without GitHub: their form, their safety, and that what they call exists."""

import os
import re
import shutil
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from checkout import ROOT
from outside import run

FLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def tool(name):
    """Return the path of a command of this environment."""
    return Path(sys.executable).with_name(name)


# Their form and their safety, by the validators


def form(schema, *files):
    """Check files against a schema that the checker brings along."""
    return run(tool("check-jsonschema"), "--builtin-schema", f"vendor.{schema}", *files)


def safety(folder):
    """Look for anything unsafe in workflows, without asking GitHub."""
    return run(
        tool("zizmor"),
        "--offline",
        "--quiet",
        "--strict-collection",
        "--persona",
        "pedantic",
        folder,
    )


def test_workflows_have_the_form_of_workflows():
    assert [path.stem for path in FLOWS] == ["book", "dependencies", "weekly"]
    code, said = form("github-workflows", *FLOWS)
    assert code == 0, said


def test_other_files_for_github_have_their_forms():
    for schema, name in (
        ("dependabot", ".github/dependabot.yml"),
        ("citation-file-format", "CITATION.cff"),
    ):
        code, said = form(schema, ROOT / name)
        assert code == 0, said


def test_workflows_are_safe():
    code, said = safety(ROOT / ".github")
    assert code == 0, said


@pytest.fixture
def seeded(tmp_path):
    """Return a function that copies .github, changes one workflow and returns its path."""

    def change(name, old, new):
        copy = shutil.copytree(ROOT / ".github", tmp_path / ".github") / "workflows" / name
        text = copy.read_text("utf-8")
        assert old in text
        copy.write_text(text.replace(old, new, 1), "utf-8")
        return copy

    return change


# What the validators cannot know


def loaded(text):
    """Return a workflow as a dict."""
    flow = yaml.safe_load(text)
    # YAML 1.1 takes the word for a yes
    flow["on"] = flow.pop(True)
    return flow


def cases(job):
    """Return the cases of a job's matrix."""
    return job.get("strategy", {}).get("matrix", {}).get("include", [])


def scripts(job):
    """Return the shell lines of a job as one text, with what its matrix has made."""
    made = [f"make {case['target']}" for case in cases(job) if case.get("target")]
    return "\n".join([*made, *(step.get("run", "") for step in job.get("steps", []))])


def unknown(job):
    """Yield the names that steps ask the matrix for and that no case has."""
    for step in job.get("steps", []):
        for name in re.findall(r"matrix\.name == '(\w+)'", yaml.safe_dump(step)):
            if name not in {case.get("name") for case in cases(job)}:
                yield f"no case {name} in the matrix"


def targets():
    """Return the names of what make can make."""
    return set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def missing(text):
    """Yield, in words, what shell lines call that is not there."""
    for name in re.findall(r"\bmake ([a-z][\w-]*)", text):
        if name not in targets():
            yield f"no target {name} in the Makefile"
    for name in re.findall(r"(?<![\w/])\.(?:ci|github/scripts)/[\w./-]+", text):
        if not os.access(ROOT / name, os.X_OK):
            yield f"no script {name}, or not one that may be run"
    for name in re.findall(r"(?<![\w./-])(?:book|code|tests)/[\w./-]+\.py\b", text):
        if not (ROOT / name).is_file():
            yield f"no file {name}"


def unbound(flow):
    """Yield, in words, what jobs expect of other jobs and do not get."""
    for name, job in flow["jobs"].items():
        needs = job.get("needs", [])
        needs = [needs] if isinstance(needs, str) else needs
        for other, output in re.findall(r"\bneeds\.(\w+)\.outputs\.(\w+)", yaml.safe_dump(job)):
            if other not in needs or output not in flow["jobs"][other].get("outputs", {}):
                yield f"{name}: no {output} comes from {other}"
        ids = {step.get("id") for step in job.get("steps", [])}
        for step in re.findall(r"\bsteps\.(\w+)\.", yaml.safe_dump(job)):
            if step not in ids:
                yield f"{name}: no step {step}"


def faults(folder):
    """Yield, in words, what is wrong with the workflows in a folder."""
    for path in sorted(folder.glob("*.yml")):
        flow = loaded(path.read_text("utf-8"))
        unlimited = [
            f"{key}: no timeout"
            for key, job in flow["jobs"].items()
            if "timeout-minutes" not in job
        ]
        absent = [
            fault
            for job in flow["jobs"].values()
            for fault in (*missing(scripts(job)), *unknown(job))
        ]
        yield from (f"{path.name}: {fault}" for fault in (*unbound(flow), *absent, *unlimited))


def test_workflows_call_what_exists_and_set_limits():
    assert list(faults(ROOT / ".github" / "workflows")) == []


def test_scripts_call_what_exists():
    for path in (*(ROOT / ".ci").iterdir(), *(ROOT / ".github/scripts").iterdir()):
        assert list(missing(path.read_text("utf-8"))) == [], path.name


FAULTS = {
    "publish: no timeout": ("book.yml", "    timeout-minutes: 10\n", ""),
    "no target claim in the Makefile": ("weekly.yml", "target: claims", "target: claim"),
    "no file tests/mutant.py": ("weekly.yml", "tests/mutants.py", "tests/mutant.py"),
    "no case link in the matrix": ("weekly.yml", "matrix.name == 'links'", "matrix.name == 'link'"),
    "no script .github/scripts/verified": ("book.yml", "scripts/verify", "scripts/verified"),
    "verify: no sums comes from publish": (
        "book.yml",
        "needs.build.outputs.sums",
        "needs.publish.outputs.sums",
    ),
    "verify: no sum comes from build": (
        "book.yml",
        "needs.build.outputs.sums",
        "needs.build.outputs.sum",
    ),
    "build: no step place": ("book.yml", "steps.site.", "steps.place."),
}


@pytest.mark.parametrize("words", FAULTS)
def test_seeded_fault_is_found(seeded, words):
    found = list(faults(seeded(*FAULTS[words]).parent))
    assert any(words in fault for fault in found), found


def test_dependencies_are_tried_with_the_newest_and_the_oldest_and_the_pins_on_every_python():
    flow = yaml.safe_load((ROOT / ".github/workflows/dependencies.yml").read_text("utf-8"))
    newest, oldest, *pinned = flow["jobs"]["dependencies"]["strategy"]["matrix"]["include"]
    assert (newest["resolution"], oldest["resolution"]) == ("highest", "lowest-direct")
    ours = (ROOT / ".python-version").read_text("utf-8").strip()
    assert newest["python"] == ours
    wanted = tomllib.loads((ROOT / "code/pyproject.toml").read_text("utf-8"))["project"][
        "requires-python"
    ]
    assert wanted == f">={oldest['python']}"
    assert all(case["resolution"] == "" for case in pinned)
    assert sorted([ours, *(case["python"] for case in pinned)]) == ["3.12", "3.13", "3.14"]


def test_a_fork_needs_no_secret():
    for path in (ROOT / ".github").rglob("*.yml"):
        assert "secrets." not in path.read_text("utf-8"), path.name


def test_who_may_write_runs_nothing_of_the_project_and_only_for_a_tag():
    jobs = loaded((ROOT / ".github/workflows/book.yml").read_text("utf-8"))["jobs"]
    for name, permission in (("release", "contents"), ("package", "id-token")):
        assert jobs[name]["permissions"] == {"actions": "read", permission: "write"}
        assert jobs[name]["if"].startswith("github.ref_type == 'tag'")
        assert [step for step in jobs[name]["steps"] if "uses" in step] == []
        assert "make" not in scripts(jobs[name]).split() and ".github/" not in scripts(jobs[name])
    writers = {name for name, job in jobs.items() if "write" in job["permissions"].values()}
    assert writers == {"publish", "release", "package"}


def test_the_package_is_published_where_the_owner_has_asked_for_it_alone():
    package = loaded((ROOT / ".github/workflows/book.yml").read_text("utf-8"))["jobs"]["package"]
    assert package["if"].endswith(" && vars.PUBLISH_PACKAGE == 'true'")
    assert "release" in package["needs"]


def test_pages_to_verify_are_printed(site):
    names = re.search(
        r"sha256sum (.+)\)$", (ROOT / ".github/workflows/book.yml").read_text("utf-8"), re.MULTILINE
    )[1].split()
    assert {"index.html", "book/index.html"} < set(names)
    assert [name for name in names if not (site / name).is_file()] == []
