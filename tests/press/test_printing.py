"""What the press makes of Sphinx's pages: formulas, figures, a bundle, words for searches."""

import json
import re
import xml.etree.ElementTree as ET
from types import SimpleNamespace

import pytest
from bookbuild import checkout
from bookbuild.pages import bundle, figures, formulas, head, mend
from bs4 import BeautifulSoup
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont

# Formulas


def test_formula_is_drawn_and_said():
    drawn = BeautifulSoup(formulas.render(r"\mu_1 < \mu_2"), "html.parser")
    assert drawn.select_one(".katex-html")["aria-hidden"] == "true"
    assert drawn.select_one("math annotation").text == r"\mu_1 < \mu_2"
    assert not drawn.select(".katex-display")
    large = BeautifulSoup(formulas.render(r"\int f", display=True), "html.parser")
    assert large.select(".katex-display")


def test_formula_does_not_depend_on_those_before_it():
    first = formulas.render.__wrapped__(r"\frac{1}{2}")
    formulas.render.__wrapped__(r"\def\frac{oops} x")
    assert formulas.render.__wrapped__(r"\frac{1}{2}") == first


@pytest.mark.parametrize("tex", [r"\nosuch", r"\frac{1}", "a_b_c", "{"])
def test_formula_that_cannot_be_read_is_refused_in_one_line(tex):
    with pytest.raises(ValueError, match=r"^ParseError: KaTeX parse error: [^\n]+$"):
        formulas.render(tex)


# Figures

PICTURE = """<?xml version="1.0"?>
<svg xmlns:x="y" width="432.5pt" height="216pt" viewBox="0 0 432.5 216" version="1.1">{}</svg>"""


def test_pictures_have_their_sizes_and_all_but_the_first_wait(tmp_path):
    (tmp_path / "a.svg").write_text(PICTURE.format(""))
    body = (
        '<p><img alt="one" src="../_images/a.svg" /> and <img src="../_images/a.svg" alt="two" /> '
        '<img src="b.png"/></p>')
    sized = figures.with_sizes(body, lambda name: tmp_path / name)
    images = BeautifulSoup(sized, "html.parser").select("img")
    assert [(i.get("width"), i.get("height"), i.get("loading")) for i in images] == [
        ("577", "288", None), ("577", "288", "lazy"), (None, None, None)]
    assert [image.get("alt") for image in images] == ["one", "two", None]


def test_coordinates_are_cut_and_nothing_else_changes(tmp_path):
    (tmp_path / "_images").mkdir()
    picture = tmp_path / "_images" / "a.svg"
    path = 'd="M 1.234567 -0.999999 L 12 3.4 1e-05" transform="scale(0.015625)"'
    picture.write_text(PICTURE.format(f'<path id="m123456789" {path}/>'))
    env = SimpleNamespace(images={"one.svg": ({"page"}, "a.svg")})
    app = SimpleNamespace(outdir=tmp_path, env=env, builder=SimpleNamespace(name="html"))
    old = tmp_path / "_images" / "old.svg"
    old.write_text(PICTURE.format(""))
    figures.shorten(app, None)
    assert not old.exists()
    (drawn,) = ET.parse(picture).getroot()
    assert drawn.attrib == {
        "id": "m123456789", "d": "M 1.23 -0.99 L 12 3.4 1e-05", "transform": "scale(0.015625)"}
    figures.shorten(app, None)
    assert ET.parse(picture).getroot()[0].attrib == drawn.attrib


# The bundle


def test_rules_for_names_that_occur_nowhere_are_left_out():
    sheet = (
        ".used{color:red}.unused{color:red}.set-by-script{color:red}#there .used{color:blue}"
        ".used .unused{color:red}#nowhere{color:red}h1{color:tan}"
    )
    left = bundle.purge(sheet, ['<p class="used" id="there">', "classList.add('set-by-script')"])
    assert left == ".used,.set-by-script{color:red}#there .used{color:#00f}h1{color:tan}"


@pytest.fixture
def icons(tmp_path):
    """Return a folder with an icon font of three icons."""
    names = {0xF001: "one", 0xF002: "two", 0xF003: "three"}
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    pen.lineTo((0, 500))
    pen.lineTo((500, 0))
    pen.closePath()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", *names.values()])
    builder.setupCharacterMap(names)
    builder.setupGlyf(dict.fromkeys([".notdef", *names.values()], pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys([".notdef", *names.values()], (600, 0)))
    builder.setupHorizontalHeader()
    builder.setupNameTable({"familyName": "Icons"})
    builder.setupOS2()
    builder.setupPost()
    builder.font.flavor = "woff2"
    builder.save(tmp_path / "all.woff2")
    return tmp_path


FACE = (
    '@font-face{font-family:"Font Awesome 6 Free";'
    'src:url(all.woff2)format("woff2"),url(all.ttf)format("truetype")}')


def test_icon_font_holds_the_icons_that_are_named(icons):
    sheet = bundle.with_few_icons(FACE + '.fa-two{--fa:"\uf002"}', icons)
    (name,) = re.findall(r"url\(([^)]+)\)", sheet)
    small = TTFont(icons / name)
    assert set(small.getBestCmap()) == {0xF002}
    assert small.flavor == "woff2"
    again = [bundle.shrink(icons / "all.woff2", {0xF002}) for _ in range(2)]
    assert again[0] == again[1]


def test_icon_font_without_a_named_icon_is_left_out(icons):
    other = '@font-face{font-family:KaTeX_Main;src:url(katex/main.woff2)format("woff2")}'
    assert bundle.with_few_icons(FACE + other, icons) == other


def test_addresses_are_seen_from_the_bundle(tmp_path):
    (tmp_path / "katex").mkdir()
    sheet = (
        "@font-face{src:url(%s)}i{background:url(%s)}a{background:url(data:image/png;base64,AA)}"
        "b{background:url(https://a.example/b.png)}")
    (tmp_path / "katex" / "k.css").write_text(sheet % ('"fonts/m.woff2"', "../i.svg"))
    assert bundle._style(tmp_path, "katex/k.css") == sheet % ("katex/fonts/m.woff2", "i.svg")


def test_site_holds_nothing_that_went_into_the_bundle(site):
    static = site / "_static"
    left = {path.relative_to(static).as_posix() for path in static.rglob("*.*") if path.is_file()}
    assert {"book.css", "book.js"} <= left
    gone = re.compile(r"fontawesome|bootstrap|house|katex\.min|pygments")
    assert not {name for name in left if gone.search(name)}


# Screen readers


def mended(body):
    """Return a body that has been put right."""
    context = {"body": body}
    mend.mend(None, "page", "page.html", context, None)
    return context["body"]


def test_empty_corner_of_a_table_is_no_heading():
    body = '<tr><th class="blank level0" >&nbsp;</th>{}</tr>'
    mean = '<th class="col_heading" >mean</th>'
    assert mended(body.format(mean)) == f'<tr><td class="blank level0"></td>{mean}</tr>'


def test_signature_is_a_list_of_parameters_and_definitions_stay():
    parameter = '<dd><em class="sig-param"><span>{}</span></em>,</dd>\n'
    parameters = parameter.format("a") + parameter.format("b")
    body = f"<dl>\n{parameters}</dl>\n<dl>\n<dt>c</dt><dd>d</dd></dl>"
    found = BeautifulSoup(mended(body), "html.parser")
    assert [li.text for li in found.select("ul.sig-params > li")] == ["a,", "b,"]
    assert [dd.text for dd in found.select("dl > dd")] == ["d"]


# Search engines


@pytest.mark.parametrize(("repository", "address"), [
    ("https://github.com/ann/bells", "https://ann.github.io/bells/"),
    ("https://github.com/Ann/Bells", "https://ann.github.io/Bells/"),
    ("https://github.com/Ann/ann.github.io", "https://ann.github.io/")])
def test_address_of_the_published_book(repository, address):
    assert checkout.address(repository) == address


def test_description_cannot_end_the_element_it_stands_in():
    said = 'Say </script> & "more" – twice.'
    assert "<" not in head.as_json(said) and json.loads(head.as_json(said)) == said


def test_sitemap_lists_every_address():
    addresses = ["https://a.example/b?c&d", "https://a.example/e"]
    root = ET.fromstring(head.sitemap(addresses))
    assert [place.text for place in root.findall(".//{*}loc")] == addresses
