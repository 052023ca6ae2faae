"""The text of the chapters, as it is written: no number by hand, one shape, one way of spelling."""

import re

import pytest
import yaml
from checkout import CELL, ROOT

BOOK = ROOT / "book"
PAGES = sorted(BOOK.glob("*.md"))
# the first page has cells, for its picture, and is no chapter
CHAPTERS = [page for page in PAGES if page.stem != "index" and CELL.search(page.read_text("utf-8"))]

# Numbers that may be typed, each with the reason why nothing has to be measured for it.
ALLOWED = {
    r"[Dd]atasets? \d+( to \d+|(, \d+)* (and|or) \d+)?": "the name of a dataset is its seed",
    r"\*\*\d+\.\*\*": "the number of an exercise",
    r"(mean|second) (at|is) −?1\b": "the recipe of the data",
    r"true mean −?1\b": "the recipe of the data",
    r"standard deviation 1\b( has variance 1\b)?": "the recipe of the data",
    r"separations? \d(\.\d)?\b": "the recipe of the data",
    r"Normal\(−?\d+, \d+\)": "a prior is written down, not measured",
    r"\d+[ ,]000 (draws|steps|of tuning)\b": "a setting of a sampler",
    r"\blog 2\b": "a constant has a name",
    r"PyMC \d+(\.\d+)+( to \d+(\.\d+)+)?": "a version is a name",
    r"R-hat( of my chains)? is( near)? 1\.5,? or 1\.7\b": "what a reader saw at home",
    r"My R-hat is 1\.53\. Is it broken": "what a reader saw at home, in a heading",
    r"R-hat 1\.53 again": "the same, met once more",
    r"182\.41 for the unordered model and 178\.72 for the ordered one": "quoted, with its source",
    r"(middle|hold) \d\d %": "the width of an interval is a choice",
    r"(?m)^\d\. ": "the number of a step",
}


def blank(pattern, text, flags=0, keep=""):
    """Replace what a pattern finds by `keep` and its line ends: lines keep their numbers."""

    def kept(found):
        return found.expand(keep) + "\n" * found[0].count("\n")

    return re.sub(pattern, kept, text, flags=flags)


def captions(cell):
    """Return a code cell with nothing left in it but its figures' captions, on their lines."""
    lines, inside = [], None
    for line in cell.split("\n"):
        indent = len(line) - len(line.lstrip())
        if inside is not None and line.strip() and indent <= inside:
            inside = None
        if found := re.match(r"( +)caption: *[|>]?-? *(.*)$", line):
            inside = len(found[1])
            lines.append(found[2])
        else:
            lines.append("" if inside is None else line)
    return "\n".join(lines)


def running(text):
    """Return a page's running text, line for line: no head, code, options or labels."""
    text = blank(r"\A---\n.*?^---$", text, re.MULTILINE | re.DOTALL)
    text = CELL.sub(lambda cell: captions(cell[0]), text)
    text = blank(r"^(`{3,})[^`\n]*\n.*?^\1$", text, re.MULTILINE | re.DOTALL)
    text = blank(r"^:[\w-]+:.*$", text, re.MULTILINE)
    return blank(r"^\([\w-]+\)=$", text, re.MULTILINE)


def prose(text):
    """Return what a reader reads as running text, line for line: no code, formulas or names."""
    text = running(text)
    text = blank(r"\{[\w:]+\}`[^`]*`", text, keep="…")
    text = blank(r"(`+).+?\1", text, re.DOTALL)
    text = blank(r"\$\$.*?\$\$|\$[^$]*\$", text, re.DOTALL)
    text = blank(r"\]\([^)]*\)", text, keep="]")
    return blank(r"^(:::+)(\{[\w-]+\})?", text, re.MULTILINE)


def typed_numbers(text):
    """Yield (line number, the line's prose) for each digit that no allowed pattern covers."""
    read = prose(text)
    for pattern in ALLOWED:
        # a line may end where a pattern has a blank; its match then keeps the line end
        read = blank(pattern.replace(" ", r"\s"), read)
    lines = enumerate(read.split("\n"), 1)
    yield from ((number, line.strip()) for number, line in lines if re.search(r"\d", line))


@pytest.mark.parametrize("line", [
    *("The barrier is 5.4 nats.", "about 95 % of draws", "1 in 8", "R-hat is 1.53"),
    *("dataset 8 has 3", "7 draws")])
def test_typed_number_is_found(line):
    assert [number for number, _ in typed_numbers(f"a\n{line}\nb")] == [2]


@pytest.mark.parametrize("lines", [
    "dataset 8, datasets 0 to 19, datasets 8, 1 and 0",
    "Fit dataset\n8 with\n15 000\nsteps, 10,000 draws and 2,000 of tuning.",
    "**1.** Why Normal(−1, 1) and Normal(0, 10)?",
    "its mean at −1, the second at\n1; both have standard deviation 1.",
    "{glue:text}`barrier-8:.2f` nats, $2^n$, `seed(1)`",
])
def test_allowed_number_is_let_pass(lines):
    assert list(typed_numbers(lines)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_number_is_typed_into_prose(page):
    numbers = typed_numbers(page.read_text("utf-8"))
    found = [f"{page.name}:{number}: {line}" for number, line in numbers]
    assert found == [], "glue or claim these:\n" + "\n".join(found)


@pytest.mark.parametrize("page", CHAPTERS, ids=lambda page: page.stem)
def test_chapter_has_the_shape_of_a_chapter(page):
    text = page.read_text("utf-8")
    front = yaml.safe_load(re.match(r"---\n(.*?)^---$", text, re.MULTILINE | re.DOTALL)[1])
    assert front["kernelspec"]["name"] == "python3"
    assert front["jupytext"]["text_representation"]["format_name"] == "myst"
    assert text.count(f'plots.begin("{page.stem}")') == 1
    first = CELL.search(text)[0]
    assert "code_prompt_show: Setup" in first or "remove-cell" in first, "imports are folded"
    headings = re.findall(r"^(#+) (.+)$", prose(text), re.MULTILINE)
    assert [title for level, title in headings if level == "#"] == [headings[0][1]]
    assert ("##", "In practice") in headings or page.stem == "practice"
    assert headings[-1] == ("##", "Exercises")
    exercises = text.split("\n## Exercises\n")[1]
    numbers = re.findall(r"^\*\*(\d+)\.\*\*", exercises, re.MULTILINE)
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
    assert len(numbers) >= 2
    assert len(re.findall(r"\{dropdown\} Solution|hide-cell|hide-input", exercises)) >= len(numbers)


@pytest.mark.parametrize("page", CHAPTERS, ids=lambda page: page.stem)
def test_shown_code_fits_the_page(page):
    text = page.read_text("utf-8")
    wide = []
    for cell in CELL.finditer(text):
        if not re.search(r"remove-(input|cell)|hide-input", cell[0]):
            # the code begins behind the cell's options
            options = r"\A[^\n]*\n(---\n.*?^---$|(:[\w-]+:[^\n]*\n)+)"
            code = re.sub(options, "", cell[0], flags=re.MULTILINE | re.DOTALL)
            wide += [line for line in code.split("\n") if len(line) > 79]
    assert wide == [], "\n".join([page.name, *wide])


AMERICAN = re.compile(
    r"\b(\w*colors?|\w*center(s|ed)?|behaviors?|\w*label(ing|ed)|modeling|\w*analyz\w+"
    r"|\w*(factor|general|maxim|minim|normal|optim|parametr|real|recogn|summar|symmetr|visual)"
    r"iz\w+)\b",
    re.IGNORECASE)


def test_american_spelling_is_found_and_british_let_pass():
    words = (
        "color Behavior relabeling labeled centered reparametrization analyzed realize Normalizing "
        "summarizes")
    assert [word for word in words.split() if not AMERICAN.search(f"a {word}.")] == []
    words = (
        "colour behaviour relabelling labelled centred reparametrisation analysed realise size "
        "prize central")
    assert [word for word in words.split() if AMERICAN.search(f"a {word}.")] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_spelling_is_british(page):
    lines = enumerate(prose(page.read_text("utf-8")).split("\n"), 1)
    found = [f"{page.name}:{number}: {line}" for number, line in lines if AMERICAN.search(line)]
    assert found == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_filler(page):
    filler = (
        r"in this (section|chapter),? we( wi|')ll|\bsimply\b|\bobviously\b"
        r"|it (is important to|should be) noted?\b")
    text = re.sub(r"\s+", " ", prose(page.read_text("utf-8")))
    assert [found[0] for found in re.finditer(filler, text, re.IGNORECASE)] == []


def test_no_caption_names_a_shade_that_a_dark_page_turns_round():
    for page in PAGES:
        text = page.read_text("utf-8")
        captions = re.findall(r"^    caption: \|\n((?:^      .*\n)+)", text, re.MULTILINE)
        shades = re.compile(r"\b(black|white|dark|darker|pale)\b", re.IGNORECASE)
        assert [found[0] for found in map(shades.search, captions) if found] == [], page.name


def test_no_chapter_imports_the_press():
    """Outputs are kept when the press is edited, so none may depend on it."""
    for page in PAGES:
        cells = "\n".join(CELL.findall(page.read_text("utf-8")))
        assert not re.search(r"\bbookbuild\b", cells), page.name


def test_no_chapter_compiles_what_it_evaluates_once():
    """It takes seconds; and ``eval`` orders inputs by their addresses, so that keys are chance."""
    for page in PAGES:
        cells = "\n".join(CELL.findall(page.read_text("utf-8")))
        found = re.findall(r"\.eval\([^\n]*", cells)
        assert [call for call in found if 'mode="FAST_COMPILE"' not in call] == [], page.name
