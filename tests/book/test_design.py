"""The house style, measured: lines that can be read, colours that stand out, pages to print."""

import io
import struct
from contextlib import contextmanager

import pytest
import reader
from mixtures.plots import style
from PIL import Image

PALETTE = [style.EXACT, style.DATA, *style.COMPONENTS, *style.METHODS.values()]
SCREENS = {"screen": (1280, 800), "telephone": (390, 844)}
# the letters of each full line of running text without formulas: a paragraph's last may be short
LINES = """() => [
  ...document.querySelectorAll("article section > p:not(:has(.math))")
].flatMap((paragraph) => {
  const letters = new Map(), text = document.createTreeWalker(paragraph, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  while (text.nextNode()) {
    for (let i = 0; i < text.currentNode.length; i++) {
      range.setStart(text.currentNode, i);
      range.setEnd(text.currentNode, i + 1);
      const box = range.getBoundingClientRect();
      const line = Math.round((box.top + box.bottom) / 2 / 14);
      if (box.width) letters.set(line, (letters.get(line) ?? 0) + 1);
    }
  }
  return [...letters.entries()].sort((a, b) => a[0] - b[0]).slice(0, -1).map((entry) => entry[1]);
})"""


@contextmanager
def opened(browser, screen="screen", **other):
    """Yield a fresh page of the size of a screen."""
    width, height = SCREENS[screen]
    other["viewport"] = {"width": width, "height": height}
    with reader.opened(browser, "light", **other) as (page, _):
        yield page


def luminance(colour):
    """Return the relative luminance of a colour, given as "#rrggbb", by the rule of WCAG."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_that_of_the_standard():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


def colours(page, names):
    """Return custom properties of the page as "#rrggbb"."""
    return page.evaluate(
        """(names) => names.map((name) => {
          const style = getComputedStyle(document.documentElement);
          const canvas = document.createElement("canvas").getContext("2d");
          canvas.fillStyle = style.getPropertyValue(name).trim();
          return canvas.fillStyle;
        })""",
        names,
    )


def shades(page, box):
    """Return the colours of a row of squares of 40 pixels."""
    shot = Image.open(io.BytesIO(page.screenshot(clip=box))).convert("RGB")
    middles = range(20, round(box["width"]), 40)
    return ["#{:02x}{:02x}{:02x}".format(*shot.getpixel((x, 20))) for x in middles]


def test_colours_of_figures_stand_out_in_the_dark(browser, server):
    with opened(browser, color_scheme="dark") as page:
        page.goto(f"{server}/book/mixture.html")
        ground, focus = colours(page, ["--pst-color-background", "--pst-color-accent"])
        assert contrast(focus, ground) >= 3
        row = "".join(
            f"<rect x='{40 * i}' width='40' height='40' fill='{colour}'/>"
            for i, colour in enumerate(["#fff", *PALETTE]))
        size = f"width='{40 * len(PALETTE) + 40}' height='40'"
        drawing = f"<svg xmlns='http://www.w3.org/2000/svg' {size}>{row}</svg>"
        image = page.locator(".cell_output figure img").first
        image.evaluate(
            "(one, drawn) => { one.src = 'data:image/svg+xml,' + encodeURIComponent(drawn);"
            " one.removeAttribute('width'); one.removeAttribute('height'); return one.decode() }",
            drawing)
        image.scroll_into_view_if_needed()
        white, *drawn = shades(page, image.bounding_box())
        assert white == ground
        for colour, shade in zip(PALETTE, drawn, strict=True):
            assert contrast(shade, white) >= 3, colour


def test_lines_are_of_a_length_to_read(browser, server):
    with opened(browser) as page:
        for name in ("identifiability", "label_switching", "variational"):
            page.goto(f"{server}/book/{name}.html")
            lines = sorted(page.evaluate(LINES))
            assert len(lines) > 30
            assert 65 <= lines[len(lines) // 2] <= 80, name
            # whatever a line breaks at, hardly any leaves the measure
            assert lines[int(0.95 * len(lines))] <= 80, name


@pytest.mark.parametrize("screen", SCREENS)
def test_first_screen_shows_the_problem_in_one_picture(browser, server, screen):
    with opened(browser, screen) as page:
        page.goto(f"{server}/book/index.html")
        page.wait_for_load_state("networkidle")
        parts = [page.locator(f"article {part}") for part in ("h1", "section > p", "figure img")]
        boxes = [part.first.bounding_box() for part in parts]
        assert [box["y"] for box in boxes] == sorted(box["y"] for box in boxes)
        assert boxes[-1]["y"] + boxes[-1]["height"] <= SCREENS[screen][1]
        assert boxes[-1]["width"] > 0.85 * min(SCREENS[screen][0], 576)


def test_paper_shows_the_argument_alone(browser, server):
    with opened(browser, color_scheme="dark") as page:
        page.goto(f"{server}/book/identifiability.html")
        page.emulate_media(media="print")
        frame = (
            ".bd-sidebar-primary, .bd-sidebar-secondary, .bd-header-article, .prev-next-area, "
            ".headerlink, .copybtn")
        assert page.locator(f":is({frame}):visible").count() == 0
        assert page.locator("article h1:visible").count() == 1
        # black on white, though the screen is dark, and the figures as they were drawn
        style = "(one) => getComputedStyle(one)"
        body = page.locator("body").evaluate(f"{style}.backgroundColor")
        assert body == "rgb(255, 255, 255)"
        for part in ("article p", "article .highlight .kn", "article h2"):
            assert page.locator(part).first.evaluate(f"{style}.color") == "rgb(0, 0, 0)", part
        assert page.locator("article figure img").first.evaluate(f"{style}.filter") == "none"
        # folded solutions are there to be read
        solution = page.locator("details.sd-dropdown .sd-summary-content").first
        assert solution.evaluate(
            "(one) => one.checkVisibility({contentVisibilityAuto: true}) && one.clientHeight > 10")


def test_first_page_draws_the_card_that_other_sites_show(site):
    png = (site / "_static" / "card.png").read_bytes()
    assert struct.unpack(">2I", png[16:24]) == (1200, 630)
    assert len(png) < 100_000
