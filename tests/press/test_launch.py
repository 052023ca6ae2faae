"""The launch button and the downloads, from the page to the last cell, as on Binder.

The environment is made anew, from what repo2docker itself reads in ``.binder``. One chapter runs,
or all of them where LAUNCH is ``all``.
"""

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import nbformat
import outside
import pytest
from bookbuild.takeaway import prose
from bs4 import BeautifulSoup
from checkout import ROOT, STRICT, copied
from reader import WIDE, Listener

pytestmark = pytest.mark.slow
REPOSITORY = "reader/which"
EVERY = prose.read(ROOT).chapters
CHAPTERS = EVERY if os.environ.get("LAUNCH") == "all" else EVERY[:1]
# the interpreter that runtime.txt asks for; another one only where it is missing
RUNTIME = (ROOT / ".binder" / "runtime.txt").read_text("utf-8").strip()
PYTHON = shutil.which(RUNTIME.replace("-", "")) or sys.executable
NOTEBOOK = "window.jupyterapp.shell.currentWidget"
# of each code cell its number once it has ended, and the kernel's state
CELLS = f"[...{NOTEBOOK}.content.model.cells]"
STATE = f"""() => [{NOTEBOOK}.sessionContext.session.kernel.status,
  {CELLS}.filter((cell) => cell.type === "code").map((cell) => cell.executionCount)]"""
RAISED = f"""() => {CELLS}.some((cell) => (cell.outputs?.toJSON() ?? []).some(
  (one) => one.output_type === "error"))"""


def run(*command, **options):
    """Run a command, and show what it said when it fails."""
    code, said = outside.run(*command, encoding="utf-8", **options)
    assert code == 0, f"{command}:\n" + "\n".join(said.splitlines()[-40:])
    return said


def bare(home, *folders, **more):
    """Return the environment of a machine that knows nothing of this one but its network."""
    network = re.compile(r"PIP_|UV_|SSL_CERT|REQUESTS_CA|(HTTPS?|NO)_PROXY", re.IGNORECASE)
    kept = {name: value for name, value in os.environ.items() if network.match(name)}
    path = os.pathsep.join([*map(str, folders), os.environ["PATH"]])
    here = {"HOME": str(home), "PATH": path, "LANG": "C.UTF-8", "GIT_CONFIG_GLOBAL": os.devnull}
    return kept | here | more


@pytest.fixture(scope="module")
def published(site, tmp_path_factory):
    """Print the book as the workflow of a repository on GitHub does; return the pages' folder."""
    out = tmp_path_factory.mktemp("published")
    for kept in (".jupyter_cache", ".pictures"):
        shutil.copytree(site.parent / kept, out / "_build" / kept)
    github = {"GITHUB_REPOSITORY": REPOSITORY, "GITHUB_SHA": "main"}
    run(*STRICT, "--path-output", out, cwd=ROOT, env=os.environ | github)
    return out / "_build" / "html"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """Return a clone of the repository, with what has not been committed yet."""
    root = copied(tmp_path_factory.mktemp("binder") / "which")
    who = ["-c", "user.name=reader", "-c", "user.email=reader@example.org"]
    for command in (
        ["init", "-q", "-b", "main"], ["add", "-A"], [*who, "commit", "-qm", "all"],
        ["remote", "add", "origin", f"https://github.com/{REPOSITORY}.git"],
    ):
        run("git", *command, cwd=root)
    return root


@pytest.fixture(scope="module")
def dockerfile(checkout):
    """Return the Dockerfile that repo2docker makes of the repository."""
    tool = Path(sys.executable).with_name("jupyter-repo2docker")
    return run(tool, "--no-build", "--debug", ".", cwd=checkout)


@pytest.fixture(scope="module")
def binder(checkout, dockerfile, tmp_path_factory):
    """Make the environment that the Dockerfile describes, and return its variables."""
    folder = tmp_path_factory.mktemp("environment")
    run(PYTHON, "-m", "venv", folder)
    environ = bare(tmp_path_factory.mktemp("home"), folder / "bin")
    pattern = r'^RUN .*/pip install --no-cache-dir -r "(.+)"$'
    (requirements,) = re.findall(pattern, dockerfile, re.MULTILINE)
    run(folder / "bin" / "pip", "install", "--quiet", "-r", requirements, cwd=checkout, env=environ)
    (script,) = re.findall(r"^RUN (\./.+)$", dockerfile, re.MULTILINE)
    run("bash", script, cwd=checkout, env=environ)
    return environ


@pytest.fixture(scope="module")
def lab(checkout, binder):
    """Start JupyterLab in the repository, and return its address."""
    command = [
        *("jupyter", "lab", "--no-browser", "--allow-root"),
        *("--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", "--IdentityProvider.token="),
        *("--LabApp.expose_app_in_browser=True", "--LabApp.collaborative=False")]
    log = checkout.parent / "lab.log"
    with (
        log.open("w") as said,
        subprocess.Popen(command, cwd=checkout, env=binder, stdout=said, stderr=said) as server,
    ):
        try:
            yield address(server, log)
        finally:
            server.terminate()
            server.wait(30)


def address(server, log):
    """Return where a server listens, once it answers."""
    for _ in range(240):
        found = re.search(r"http://127\.0\.0\.1:\d+/", log.read_text("utf-8"))
        assert server.poll() is None, log.read_text("utf-8")
        if found:
            with urllib.request.urlopen(f"{found[0]}api") as answer:
                assert answer.status == 200
            return found[0]
        time.sleep(0.5)
    pytest.fail(f"JupyterLab does not start: {log.read_text('utf-8')}")


@contextmanager
def opened(browser, lab, page):
    """Yield a chapter in JupyterLab, opened by the path that its launch button names."""
    link = page.select_one("a[href^='https://mybinder.org/']")["href"]
    path = re.fullmatch(rf"https://mybinder\.org/v2/gh/{REPOSITORY}/main\?urlpath=(.+)", link)[1]
    context = browser.new_context(viewport=WIDE)
    try:
        tab = context.new_page()
        listener = Listener(tab)
        tab.goto(f"{lab}{path}?reset")
        # a notebook, and not a text
        tab.wait_for_selector(".jp-NotebookPanel", timeout=120_000)
        idle = f"{NOTEBOOK}?.sessionContext?.session?.kernel?.status === 'idle'"
        tab.wait_for_function(idle, timeout=120_000)
        yield tab, listener
    finally:
        context.close()


def run_all(tab, seconds=900):
    """Run all cells from the menu as a reader does; return the notebook when the last has ended."""
    tab.get_by_role("menuitem", name="Run", exact=True).click()
    tab.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    for _ in range(seconds):
        status, numbers = tab.evaluate(STATE)
        if status == "idle" and all(numbers):
            # the numbers in sentences come after the last cell
            tab.wait_for_timeout(3000)
            return nbformat.from_dict(tab.evaluate(f"() => {NOTEBOOK}.content.model.toJSON()"))
        assert not tab.evaluate(RAISED), "a cell raised"
        tab.wait_for_timeout(1000)
    pytest.fail(f"not at its end after {seconds} seconds; cells have the numbers {numbers}")


def page_of(published, name):
    """Return a chapter's page."""
    return BeautifulSoup((published / f"{name}.html").read_bytes(), "html.parser")


def outputs(notebook):
    """Yield the outputs of a notebook."""
    for cell in notebook.cells:
        yield from cell.get("outputs", [])


def check_outputs(notebook, kind="image/svg+xml"):
    """See that a run raised nothing, warned of nothing and drew its figures."""
    for output in outputs(notebook):
        assert output.output_type != "error", output
        assert output.get("name") != "stderr", output
    data = [output.get("data", {}) for output in outputs(notebook)]
    drawn = [one for one in data if one.keys() & {"image/png", "image/svg+xml"}]
    assert drawn
    assert all(kind in one for one in drawn)


def check_sizes(notebook):
    """See that figures have a size that fits into JupyterLab, and are vectors, which can scale."""
    for output in outputs(notebook):
        if drawn := output.get("data", {}).get("image/svg+xml"):
            size = re.search(r'<svg[^>]* width="([\d.]+)pt"', "".join(drawn), re.DOTALL)
            assert 100 < float(size[1]) < 700


def test_repo2docker_reads_the_books_own_files(dockerfile):
    version = RUNTIME.removeprefix("python-")
    assert f"Building conda environment for python={version}" in dockerfile
    assert version == (ROOT / ".python-version").read_text("utf-8").strip()
    # the book's own list asks for ./code: all must be there before it is installed
    copied_first = dockerfile.index("COPY --chown=0:0 src/ ${REPO_DIR}/")
    assert copied_first < dockerfile.index('-r ".binder/requirements.txt"')
    assert "RUN ./.binder/postBuild" in dockerfile
    assert "pip install --no-cache-dir ." not in dockerfile


@pytest.mark.parametrize("name", CHAPTERS)
def test_chapter_runs_where_its_button_leads(browser, lab, published, name):
    with opened(browser, lab, page_of(published, name)) as (tab, listener):
        before = tab.evaluate(STATE)[1]
        assert before and not any(before)
        notebook = run_all(tab)
        check_outputs(notebook)
        check_sizes(notebook)
        live = [one for cell in notebook.cells for one in cell.metadata.get("user_expressions", [])]
        asked = sum(cell.source.count("{eval}`") for cell in notebook.cells)
        values = [one["result"]["data"]["text/plain"].strip("'") for one in live]
        assert len(values) == asked
        assert all(re.search(r"\d", value) for value in values), values
        assert listener.errors == []


def test_downloads_are_what_the_page_says(published):
    for name in EVERY:
        page, folder = page_of(published, name), published / "notebooks"
        links = [link["href"] for link in page.select("a[href^='../notebooks/']")]
        short = Path(name).name
        assert links == [f"../notebooks/{short}.ipynb", f"../notebooks/{short}-executed.ipynb"]
        plain, executed = (nbformat.read(folder / Path(link).name, as_version=4) for link in links)
        for notebook in (plain, executed):
            nbformat.validate(notebook)
        assert not list(outputs(plain))
        check_outputs(executed, "image/png")
        assert [cell.source for cell in plain.cells] == [cell.source for cell in executed.cells]


def test_downloaded_notebook_runs_in_an_empty_environment(published, checkout, tmp_path):
    source = published / "notebooks" / f"{Path(CHAPTERS[0]).name}.ipynb"
    first = nbformat.read(source, as_version=4).cells[0]
    assert first.cell_type == "markdown"
    (line,) = re.findall(r"^pip install .*$", first.source, re.MULTILINE)
    assert f"git+https://github.com/{REPOSITORY}@main#subdirectory=code" in line
    folder, plain = tmp_path / "environment", tmp_path / "plain"
    run(PYTHON, "-m", "venv", folder)
    plain.mkdir()
    shutil.copy2(source, plain)
    # GitHub is on this machine; and today's versions are the book's own, lest tomorrow's fail
    github = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{checkout.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": f"https://github.com/{REPOSITORY}",
        "PIP_CONSTRAINT": str(constraints(tmp_path))}
    environ = bare(tmp_path, folder / "bin", **github)
    run("bash", "-c", line, cwd=plain, env=environ)
    run("jupyter", "execute", "--inplace", source.name, cwd=plain, env=environ)
    ran = nbformat.read(plain / source.name, as_version=4)
    check_outputs(ran)
    assert all(cell.execution_count for cell in ran.cells if cell.cell_type == "code")
    assert {path.name for path in plain.iterdir()} <= {source.name, "data"}


def constraints(folder):
    """Write the book's pins, without the line for its own code, and return where."""
    path = folder / "constraints.txt"
    pins = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    path.write_text("\n".join(line for line in pins if not line.startswith("-e")) + "\n", "utf-8")
    return path
