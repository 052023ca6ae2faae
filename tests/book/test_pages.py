"""The printed book, page by page, as a browser without JavaScript would find it."""

import json
import re
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup
from checkout import ROOT
from mixtures.claims import ROOM

TOC = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))


def listed(part):
    """Yield every file that the table of contents names, in its order."""
    for key in ("root", "file"):
        if key in part:
            yield part[key]
    for key in ("parts", "chapters", "sections"):
        for below in part.get(key, []):
            yield from listed(below)


NAMES = list(listed(TOC))
CLAIM = "[id^=claim-]"


@pytest.fixture(scope="module")
def pages(site):
    """Return every HTML page of the site by its path."""
    paths = {path.relative_to(site): path for path in site.rglob("*.html")}
    return {
        name.as_posix(): BeautifulSoup(path.read_bytes(), "html.parser")
        for name, path in paths.items() if "_static" not in name.parts}


@pytest.fixture(scope="module")
def chapters(pages):
    """Return the pages of the table of contents by their names."""
    return {name: pages[f"{name}.html"] for name in NAMES}


def article(page):
    """Return what the page says, without the frame around it."""
    return page.select_one("article")


def internal(pages, attributes=("href", "src")):
    """Yield (page, link, path of the target, fragment) for each link that stays in the book."""
    for name, page in pages.items():
        for attribute in attributes:
            for element in page.select(f"[{attribute}]"):
                link = element[attribute]
                if not urlsplit(link).scheme and not urlsplit(link).netloc:
                    path, fragment = urldefrag(urljoin(f"/{name}", link))
                    yield name, link, unquote(urlsplit(path).path).lstrip("/"), unquote(fragment)


def test_every_listed_page_says_what_it_is_and_as_no_other(chapters):
    titles, descriptions = [], []
    for name, page in chapters.items():
        assert page.title.text.strip().endswith("Which Component Is Which?"), name
        assert len(article(page).select("h1")) == 1, name
        (description,) = [found["content"] for found in page.select("meta[name=description]")]
        assert len(description.split()) > 8, name
        assert page.select_one("meta[property='og:description']")["content"] == description, name
        facts = json.loads(page.select_one("script[type='application/ld+json']").text)
        assert "LearningResource" in facts["@type"], name
        assert facts["description"] == description, name
        assert page.title.text.startswith(facts["name"]), name
        titles.append(page.title.text)
        descriptions.append(description)
    assert len(set(titles)) == len(set(descriptions)) == len(chapters)


def test_no_template_is_published(site):
    assert [path for path in site.rglob("*.html") if "{%" in path.read_text("utf-8")] == []


def test_no_page_may_load_anything_from_elsewhere(pages):
    # the door, which jupyter-book writes, leads on and has nothing else
    door = '<meta content="0; url=book/index.html" http-equiv="Refresh"/>'
    assert str(pages["index.html"]).strip() == door
    for name in pages.keys() - {"index.html"}:
        (policy,) = pages[name].select("meta[http-equiv=Content-Security-Policy]")
        rules = dict(rule.split(" ", 1) for rule in policy["content"].split("; "))
        assert rules["default-src"] == "'none'", name
        sources = {source for rule in rules.values() for source in rule.split()}
        assert {re.sub("sha256-[^']+", "sha256", source) for source in sources} == {
            *("'none'", "'self'", "'unsafe-inline'", "'sha256'", "data:")
        }, name
        assert "unsafe" not in rules["script-src"], name
        # a browser heeds it for what comes after it
        assert not policy.find_all_previous(["script", "link", "style"]), name
        scripts = pages[name].select("script:not([src])")
        assert len([one for one in scripts if one.get("type") != "application/ld+json"]) == 1, name
        keys = {key for element in pages[name].find_all(True) for key in element.attrs}
        assert not [key for key in keys if key.startswith("on")], name


def test_every_internal_link_leads_to_a_file(site, pages):
    links = list(internal(pages))
    assert len(links) > 500
    dead = [f"{name}: {link}" for name, link, target, _ in links if not (site / target).exists()]
    assert dead == []


def test_every_anchor_exists(pages):
    anchors = {name: {e["id"] for e in page.select("[id]")} | {""} for name, page in pages.items()}
    # what has an equals sign is a state of the explorer: see test_explorer_numbers.py
    links = [link for link in internal(pages, ("href",)) if link[2] in pages]
    links = [link for link in links if link[3] and "=" not in link[3]]
    assert len(links) > 100
    dead = [f"{page}: {link}" for page, link, path, place in links if place not in anchors[path]]
    assert dead == []


def test_no_identifier_stands_twice_on_a_page(chapters):
    for name, page in chapters.items():
        found = [element["id"] for element in page.select("[id]")]
        assert sorted(found) == sorted(set(found)), name


def test_every_figure_has_a_number_a_caption_and_an_alt_text(chapters):
    found = {name: article(page).select("figure") for name, page in chapters.items()}
    figures = [(name, figure) for name, several in found.items() for figure in several]
    assert len(figures) >= 15
    for name, figure in figures:
        place = f"{name}#{figure.get('id')}"
        assert figure.get("id", "").startswith("fig-"), place
        assert re.fullmatch(r"Figure \d+", figure.select_one(".caption-number").text.strip()), place
        assert len(figure.select_one(".caption-text").text.split()) > 5, place
        assert len(figure.select("img, svg")) == 1, place
    numbers = [int(figure.select_one(".caption-number").text.split()[1]) for _, figure in figures]
    assert numbers == list(range(1, len(figures) + 1))


def test_every_image_says_what_it_shows(chapters):
    alts = []
    for name, page in chapters.items():
        for image in page.select("img"):
            assert image.find_parent("figure"), f"{name}: {image.get('alt')}"
            alt = image.get("alt", "")
            assert len(alt.split()) >= 6, f"{name}: {image['src']}: {alt!r}"
            assert Path(image["src"]).stem not in alt, f"{name}: {alt!r}"
            caption = image.find_parent("figure").select_one(".caption-text")
            assert alt.strip() != caption.text.strip(), f"{name}: {alt!r}"
            alts.append(alt)
    assert len(set(alts)) == len(alts)


def test_no_markup_is_left_in_the_text(chapters):
    for name, page in chapters.items():
        parts = [p for p in article(page).select("p, li, figcaption, dd") if not p.find("code")]
        text = " ".join(p.text for p in parts)
        found = re.search(r"\{[a-z:]+\}`|:::|```|\]\(|\*\*", text)
        assert found is None, f"{name}: {text[found.start() - 40 :][:100]}"


def test_ledger_lists_every_claim_by_chapter_in_the_order_of_the_book(chapters):
    ledger = chapters["book/ledger"].select_one("table.ledger")
    rows = ledger.select("tbody tr")
    heads = [cell.text.strip() for cell in ledger.select("thead th")]
    assert heads == ["chapter", "claim", "measured", "expected", "kind", "margin"]
    expected = [
        f"{Path(name).name}.html#{claim['id']}"
        for name, page in chapters.items() for claim in page.select(CLAIM)]
    found = [row.a["href"] for row in rows]
    assert sorted(found) == sorted(expected)
    assert list(dict.fromkeys(row.a.text for row in rows)) == list(
        dict.fromkeys(place.partition(".")[0] for place in expected))
    assert chapters["book/ledger"].h1.find_next("p").text.startswith(f"{len(rows)} claims: ")
    assert len(rows) >= 300


def one_line(text):
    """Return a text with single blanks."""
    return " ".join(text.split())


def test_ledger_rows_are_complete_and_say_what_the_chapters_say(chapters):
    claims = {
        f"{name}.html#{claim['id']}": claim
        for name, page in chapters.items() for claim in page.select(CLAIM)}
    for page in chapters.values():
        # what a mark opens is no part of its sentence
        told = {one["id"]: one.extract().text for one in page.select(".measured")}
        for mark in page.select("button.claim"):
            mark["told"] = told[mark["popovertarget"]]
            mark.string = ""
    for row in chapters["book/ledger"].select("table.ledger tbody tr"):
        chapter, says, measured, expected, kind, margin = (cell.text.strip() for cell in row("td"))
        assert row.a["href"].startswith(f"{chapter}.html#")
        claim = claims[f"book/{row.a['href']}"]
        mark = claim if claim.name == "button" else claim.find_next_sibling("button")
        assert f"Measured: {measured}; expected: {expected}." in mark["told"]
        assert one_line(says) in one_line(mark.parent.text)
        assert says.endswith((".", "?", "!", ".)"))
        assert kind in ("exact", "sampled", "counted")
        assert (margin == "") if kind == "exact" else (margin == "∞" or float(margin) >= ROOM), says


def test_every_chapter_that_computes_makes_claims(chapters):
    for name, page in chapters.items():
        if page.select(".cell_output figure"):
            assert len(page.select(CLAIM)) >= 5, name
