"""Figures that load when they are looked at, and whose place is kept until then."""

import hashlib
import io
import re
from pathlib import Path

import resvg_py
from PIL import Image

from bookbuild import checkout

IMAGE = re.compile(r'<img (?=[^>]*\bsrc="([^"]+\.svg)")')
# matplotlib's sizes are in points; a screen's are in pixels, of which 96 are 72 points
SIZE = re.compile(r'<svg\b[^>]*? width="([\d.]+)pt" height="([\d.]+)pt"', re.DOTALL)
PIXELS = 96 / 72
# places are in points too; scales, as of letters, are not and stay
PLACES = re.compile(r' (?:d|x|y)="[^"]*"')
LONG = re.compile(r"(?<=\d\.\d\d)\d+")


def reserve(app, pagename, templatename, context, doctree):
    """Give every picture of a page its size, and let all but the first wait for a reader."""
    if app.builder.name == "html" and "body" in context:
        files = {name: Path(app.srcdir, source) for source, name in app.builder.images.items()}
        context["body"] = with_sizes(context["body"], files.get)


def with_sizes(body, find):
    """Return HTML whose pictures, which `find` has by their names, have sizes; and most wait."""
    count = 0

    def sized(found):
        nonlocal count
        count += 1
        size = SIZE.search(find(Path(found[1]).name).read_text("utf-8"))
        place = f'width="{_pixels(size[1])}" height="{_pixels(size[2])}" ' if size else ""
        return f"<img {place}" + ('loading="lazy" decoding="async" ' if count > 1 else "")

    return IMAGE.sub(sized, body)


def shorten(app, exception):
    """Cut coordinates to a hundredth of a point, for any screen; delete what no page shows."""
    if exception is None and app.builder.name == "html":
        shown = {name for _, name in app.env.images.values()}
        for picture in (Path(app.outdir) / "_images").glob("*.svg"):
            drawn = picture.read_text("utf-8")
            if picture.name not in shown:
                picture.unlink()
            elif (less := PLACES.sub(lambda found: LONG.sub("", found[0]), drawn)) != drawn:
                picture.write_text(less, "utf-8")


def as_png(drawn, folder):
    """Return an SVG of matplotlib's as PNG, two dots a pixel, kept in a folder, and its width."""
    kept = folder / f"{hashlib.sha256(drawn.encode()).hexdigest()[:32]}.png"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        checkout.write(kept, _rasterised(drawn))
    return kept.read_bytes(), _pixels(SIZE.search(drawn)[1])


def _rasterised(drawn):
    raster = resvg_py.svg_to_bytes(svg_string=drawn, dpi=round(2 * 72 * PIXELS))
    with Image.open(io.BytesIO(raster)) as picture:
        ground = Image.new("RGB", picture.size, "white")
        ground.paste(picture, mask=picture.getchannel("A"))
    written = io.BytesIO()
    # enough for curves with soft edges in the book's palette
    ground.quantize(128).save(written, "PNG", optimize=True)
    return written.getvalue()


def _pixels(points):
    return round(float(points) * PIXELS)
