"""What lies outside of Python: commands, and a web server that answers as a test wants."""

import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def run(*command, **options):
    """Run a command; return its exit code and what it said."""
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "check": False}
    done = subprocess.run(command, **both, **options)
    return done.returncode, done.stdout


@contextmanager
def served(answers):
    """Serve under each path its answers in turn, the last for ever; yield address and requests."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            left = answers.get(self.path.split("?")[0], [None])
            body = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(404 if body is None else 200)
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *arguments):
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}/book/", asked
        http.shutdown()
        thread.join()
