"""One style sheet, one script and a handful of icons for all pages, without what no page uses."""

import hashlib
import io
import os
import posixpath
import re
import shutil
from pathlib import Path

import lightningcss
from fontTools import subset
from fontTools.ttLib import TTFont

from bookbuild import checkout

PRESS = Path(__file__).resolve().parents[1]
# what the theme's templates would load by themselves, before and after the files Sphinx knows of
THEME_STYLES = ["basic.css", "styles/pydata-sphinx-theme.css"]
THEME_SCRIPTS = ["scripts/bootstrap.js", "scripts/pydata-sphinx-theme.js"]
NAME = re.compile(r"[\w-]+")
SELECTOR = re.compile(r"[.#]([A-Za-z_][\w-]*)")
FONT_FACE = re.compile(r"@font-face\s*\{[^}]*\}")
ICON_FONT = re.compile(r"Font Awesome.*?url\(([^)]*\.woff2)\)", re.DOTALL)
ADDRESS = re.compile(r"url\(\s*(['\"]?)(?![a-z]+:|/|#)([^)'\"]+)\1\s*\)")


def prepare(app, config):
    """Put the press's templates before the theme's; note changes of the press and of assets."""
    # of each kind the names of files, in the order in which pages load them
    app.bookbuild_files = {"css_files": {}, "script_files": {}}
    # as seen from the book, for Sphinx writes a digest of this setting into the site
    templates = PRESS / "pages" / "templates"
    config.templates_path.insert(0, os.path.relpath(templates, Path(app.confdir).resolve()))
    config.bookbuild_press = _digest([PRESS])
    config.bookbuild_assets = _digest(Path(app.srcdir, name) for name in config.html_static_path)


def gather(app, pagename, templatename, context, doctree):
    """Take a page's style sheets and scripts from it, and note them for the bundle."""
    if app.builder.name == "html":
        # scripts without a file set options of a search that the book has not
        for kind, noted in app.bookbuild_files.items():
            files = [str(file.filename) for file in context[kind] if file.filename]
            noted.update(dict.fromkeys(name.removeprefix("_static/") for name in files))
            context[kind] = []


def bundle(app, exception):
    """Write the bundle, and delete what went into it."""
    static = Path(app.outdir) / "_static"
    # the theme's own templates, copied along with what is for readers
    for template in static.glob("*-macros.html"):
        template.unlink()
    css, js = app.bookbuild_files.values()
    if exception is not None or not css:
        # some are written even where no page is printed, and pages have them from the bundle
        for sheet in static.glob("*.css") if (static / "book.css").exists() else ():
            if sheet.name != "book.css":
                sheet.unlink()
        return
    styles, scripts = [*THEME_STYLES, *css], [*js, *THEME_SCRIPTS]
    # the leading semicolon keeps one file's "use strict" from ruling the others
    code = "".join(f";\n{(static / name).read_text('utf-8')}" for name in scripts)
    pages = [page for page in Path(app.outdir).rglob("*.html") if static not in page.parents]
    sheet = "\n".join(_style(static, name) for name in styles)
    sheet = purge(sheet, [code, *(page.read_text("utf-8") for page in pages)])
    checkout.write(static / "book.css", with_few_icons(sheet, static).encode())
    checkout.write(static / "book.js", code.encode())
    for name in [*styles, *scripts]:
        (static / name).unlink()
    for folder in ("locales", "scripts", "styles", "vendor"):
        shutil.rmtree(static / folder, ignore_errors=True)


def purge(sheet, texts):
    """Return a style sheet without spaces, and without rules for names in none of the texts."""
    known = set().union(*map(NAME.findall, texts))
    unused = set(SELECTOR.findall(sheet)) - known
    return lightningcss.process_stylesheet(sheet, unused_symbols=unused, minify=True)


def with_few_icons(sheet, static):
    """Return a style sheet with icon fonts, in its folder, that hold the icons it names alone."""
    # icons are named by characters of Unicode's private use area
    icons = {ord(character) for character in sheet if "\ue000" <= character <= "\uf8ff"}

    def smaller(rule):
        font = ICON_FONT.search(rule[0])
        if font is None:
            return rule[0]
        name, small = f"icons-{Path(font[1]).name}", shrink(static / font[1], icons)
        if small is None:
            return ""
        (static / name).write_bytes(small)
        return re.sub(r"src:[^;}]*", f'src:url({name})format("woff2")', rule[0])

    return FONT_FACE.sub(smaller, sheet)


def shrink(path, characters):
    """Return a font with some Unicode code points alone, as WOFF2, or None where it has none."""
    # the font keeps its own date, so that the same icons give the same bytes
    font = TTFont(path, recalcTimestamp=False)
    wanted = characters & set(font.getBestCmap())
    if not wanted:
        return None
    subsetter = subset.Subsetter(subset.Options(layout_features=[], hinting=False))
    subsetter.populate(unicodes=wanted)
    subsetter.subset(font)
    font.flavor = "woff2"
    written = io.BytesIO()
    font.save(written)
    return written.getvalue()


def _digest(folders):
    # in an order that does not hang on where the folders are
    files = [file for folder in folders for file in sorted(folder.rglob("*"))]
    content = [file.read_bytes() for file in files if file.is_file() and file.suffix != ".pyc"]
    return hashlib.sha256(b"".join(content)).hexdigest()


def _style(static, name):
    """Return a style sheet whose addresses are as seen from the bundle's folder."""
    folder, text = posixpath.dirname(name), (static / name).read_text("utf-8")

    def moved(found):
        return f"url({posixpath.normpath(posixpath.join(folder, found[2]))})"

    return ADDRESS.sub(moved, text)
