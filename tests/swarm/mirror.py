"""A mirror of Debian and a proxy in one, for a build to go through."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.error import HTTPError
from urllib.request import Request, urlopen

PATH = "/a-mirror-of-our-own"


class _Handler(BaseHTTPRequestHandler):
    seen: list[tuple[str, str]]

    def do_GET(self) -> None:
        """Hand on what Debian answers to what is asked of the mirror."""
        self.seen.append((self.path, self.headers.get("Proxy-Authorization", "")))
        kept = ("If-Modified-Since", "Range")
        headers = {name: self.headers[name] for name in kept if name in self.headers}
        path = self.path.partition(PATH)[2]
        try:
            with urlopen(Request(f"http://deb.debian.org{path}", headers=headers)) as answer:
                status, data = answer.status, answer.read()
        except HTTPError as error:
            status, data = error.code, b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nothing: what was asked is kept."""


@contextmanager
def serve() -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """Its port on this machine alone, and what is asked of it: paths, and proxy credentials."""
    seen: list[tuple[str, str]] = []
    handler = type("_Seeing", (_Handler,), {"seen": seen, "protocol_version": "HTTP/1.1"})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1], seen
        finally:
            server.shutdown()
