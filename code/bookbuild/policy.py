"""What a page may load: a Content-Security-Policy that names the page's own host, and nothing else.

A page on GitHub Pages cannot set headers, so the policy stands in a meta element; of what it could say, only
``frame-ancestors`` and reports have no force there.
"""

import base64
import hashlib
from pathlib import Path

# the one script that stands in the page itself: the page would jump if it came later
SCRIPT = (Path(__file__).parent / "templates" / "mode.js").read_text("utf-8")


def policy(script):
    """Return a policy that admits what comes from the page's own host, and one script that stands in the page.

    Parameters
    ----------
    script : str
        That script.

    Returns
    -------
    str
        In the words of W3C's Content Security Policy Level 3.
    """
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    sources = {
        "default-src": "'none'",
        "script-src": f"'self' 'sha256-{digest}'",
        # figures and formulas are placed by styles of their own
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data:",
        "font-src": "'self'",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
    }
    return "; ".join(" ".join(pair) for pair in sources.items())


def setup(app):
    """Connect to Sphinx."""
    app.connect("html-page-context", restrict)


def restrict(app, pagename, templatename, context, doctree):
    """Give the page's template the script and the policy."""
    context["mode_script"], context["policy"] = SCRIPT, policy(SCRIPT)
