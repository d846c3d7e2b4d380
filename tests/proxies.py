"""Proxies that break what passes through them: a TCP proxy before PostgreSQL, an HTTP proxy before object storage."""

import ctypes
import http.client
import http.server
import json
import re
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

RESET = struct.pack("ii", 1, 0)


def reset(connection: socket.socket) -> None:
    """Close a connection with a reset, as a router does after it lost its state."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        # Not only close: another thread may be reading from it.
        connection.shutdown(socket.SHUT_RD)
    connection.close()


# Linux's name of the option; Python has none for it.
SO_ATTACH_FILTER = 26
# A program of one instruction, for the kernel's packet filter: of each packet, keep 0 bytes.
KEEP_NOTHING = struct.pack("HBBI", 0x06, 0, 0, 0)


def forget(connection: socket.socket) -> None:
    """Drop every packet to this end, keepalive probes too, as a firewall does that has forgotten the connection.

    The other end gets nothing: no data, no acknowledgement, no reset.
    """
    program = ctypes.create_string_buffer(KEEP_NOTHING, len(KEEP_NOTHING))
    connection.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(program)))


class TcpProxy:
    """A TCP proxy before a Unix socket, which cuts or forgets its connections when a test tells it to."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._sent = 0
        self._cut_at: int | None = None
        self._keeps_answer = False
        self._forgotten: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening, and cut every connection."""
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Cut every connection, on both sides."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                reset(end)

    def forget(self) -> None:
        """Pass nothing on any more in the connections that there are, and send nothing to their clients."""
        with self._lock:
            for client, server in self._pairs:
                self._forgotten.add(server)
                forget(client)

    def cut_when(self, sent: int) -> None:
        """Cut every connection after `sent` more bytes to the server, in the middle of the packet with the last one."""
        self._cut_at = self._sent + sent

    def keep_next_answer(self) -> None:
        """Cut every connection at the server's next answer, so that the client never gets it."""
        self._keeps_answer = True

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._path)
            with self._lock:
                self._pairs.append((client, server))
            threading.Thread(target=self._pass_on, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pass_on, args=(server, client, False), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, to_server: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if to_server:
                    self._sent += len(data)
                    if self._cut_at is not None and self._sent >= self._cut_at:
                        self._cut_at = None
                        target.sendall(data[: len(data) // 2])
                        return self.cut()
                elif self._keeps_answer:
                    self._keeps_answer = False
                    return self.cut()
                if source in self._forgotten:
                    return None
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


def kind_of(method: str, path: str) -> str:
    """Return the kind of a request: `list`, `head`, `manifest` or `data`."""
    where, _, asked = path.partition("?")
    google = where.startswith(("/storage/v1/b/", "/download/storage/v1/b/"))
    if "list-type" in asked or "comp=list" in asked or (google and where.endswith("/o")):
        return "list"
    if method == "HEAD" or (google and "alt=media" not in asked):
        return "head"
    return "manifest" if where.endswith("-Manifest.json") else "data"


Headers = list[tuple[str, str]]
Fault = Callable[[http.server.BaseHTTPRequestHandler, int, Headers, bytes], None]


@dataclass
class Faults:
    """A fault for requests of one kind: `left` counts those that still get it, and `met` those that got it."""

    fault: Fault
    kind: str
    left: int
    met: int = 0


class HttpProxy:
    """An HTTP proxy before a server. It passes answers back, except those that a test gives a fault."""

    def __init__(self, endpoint_url: str) -> None:
        self.endpoint_url = endpoint_url
        self._faults: Faults | None = None
        self._happen: tuple[str, Callable[[], object]] | None = None
        self._left = 0
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop the proxy."""
        self._server.shutdown()
        self._server.server_close()

    @contextmanager
    def faulty(self, fault: Fault, kind: str, times: int = sys.maxsize) -> Iterator[Faults]:
        """Give the next `times` requests of a kind a fault, within the block."""
        self._faults = Faults(fault, kind, times)
        try:
            yield self._faults
        finally:
            self._faults = None

    @contextmanager
    def before(self, kind: str, number: int, happen: Callable[[], object]) -> Iterator[None]:
        """Call `happen` before request `number` of a kind is passed on, counted from 1; assert that it comes."""
        self._happen, self._left = (kind, happen), number
        yield
        assert self._left <= 0
        self._happen = None

    def ask(self, handler: http.server.BaseHTTPRequestHandler, content: bytes) -> tuple[int, Headers, bytes]:
        """Return what the server answers to a request with this content."""
        connection = http.client.HTTPConnection(urlsplit(self.endpoint_url).netloc, timeout=30)
        try:
            connection.putrequest(handler.command, handler.path, skip_host=True, skip_accept_encoding=True)
            for name, value in handler.headers.items():
                connection.putheader(name, value)
            connection.endheaders(content or None)
            found = connection.getresponse()
            # An object need not have a checksum, and a body that is short by mistake has none that fits.
            dropped = re.compile("transfer-encoding|connection|x-amz-checksum-.*", re.IGNORECASE)
            headers = [(name, value) for name, value in found.getheaders() if not dropped.fullmatch(name)]
            body = found.read()
            # A body that came in chunks is passed on whole.
            if found.chunked:
                headers.append(("Content-Length", str(len(body))))
            return self.amend(handler.path, found.status, headers, body)
        finally:
            connection.close()

    def amend(self, path: str, status: int, headers: Headers, body: bytes) -> tuple[int, Headers, bytes]:
        """Return the answer that the client gets when there is no fault."""
        return status, headers, body

    def meet(self, kind: str) -> Fault | None:
        """Return the fault of a request of this kind, or None, and call `happen` where it is due."""
        with self._lock:
            if self._happen and self._happen[0] == kind:
                self._left -= 1
                if self._left == 0:
                    self._happen[1]()
            found = self._faults
            if not found or found.kind != kind or not found.left:
                return None
            found.left -= 1
            found.met += 1
            return found.fault


class GoogleProxy(HttpProxy):
    """A proxy that adds conditional reads and writes and pages of listings, which Google's emulator lacks."""

    def __init__(self, endpoint_url: str) -> None:
        super().__init__(endpoint_url)
        # How many names a page holds; Google's hold a thousand.
        self.page = 1000

    def ask(self, handler: http.server.BaseHTTPRequestHandler, content: bytes) -> tuple[int, Headers, bytes]:
        """Refuse an upload in the place of another generation than the wanted one."""
        where, _, asked = handler.path.partition("?")
        wanted = dict(parse_qsl(asked)).get("ifGenerationMatch")
        if handler.command == "POST" and wanted and where.startswith("/upload/"):
            name = json.loads(content[content.index(b"{") : content.index(b"}") + 1])["name"]
            if wanted != self._generation(f"{where.removeprefix('/upload')}/{quote(name, safe='')}"):
                return self._refused()
        return super().ask(handler, content)

    def amend(self, path: str, status: int, headers: Headers, body: bytes) -> tuple[int, Headers, bytes]:
        """Return one page of a listing, and status 412 for a read of a generation that is gone."""
        where, _, asked = path.partition("?")
        query = dict(parse_qsl(asked))
        if where.startswith("/upload/"):
            return status, headers, body
        if status == http.HTTPStatus.OK and where.endswith("/o"):
            return self._json(status, self._page_of(json.loads(body), int(query.get("pageToken", 0))))
        wanted = query.get("ifGenerationMatch")
        if wanted and status < http.HTTPStatus.BAD_REQUEST and wanted != self._generation(where):
            return self._refused()
        return status, headers, body

    def _refused(self) -> tuple[int, Headers, bytes]:
        message = "At least one of the pre-conditions you specified did not hold."
        return self._json(412, {"error": {"code": 412, "message": message, "errors": [{"message": message}]}})

    def _page_of(self, listing: dict[str, Any], start: int) -> dict[str, Any]:
        """Return one page, folders and objects in the order of their names together, as Google cuts them."""
        items = [(item["name"], item) for item in listing.get("items", ())]
        names = sorted([*items, *((name, None) for name in listing.get("prefixes", ()))], key=lambda one: one[0])
        page = names[start : start + self.page]
        more = {"nextPageToken": str(start + self.page)} if start + self.page < len(names) else {}
        found = {"items": [item for _, item in page if item], "prefixes": [name for name, item in page if not item]}
        return {"kind": "storage#objects", **found, **more}

    def _generation(self, where: str) -> str:
        connection = http.client.HTTPConnection(urlsplit(self.endpoint_url).netloc, timeout=30)
        try:
            connection.request("GET", where.removeprefix("/download"))
            found = connection.getresponse()
            # Google says 0 for no object.
            return str(json.loads(found.read())["generation"]) if found.status == http.HTTPStatus.OK else "0"
        finally:
            connection.close()

    @staticmethod
    def _json(status: int, content: dict[str, Any]) -> tuple[int, Headers, bytes]:
        body = json.dumps(content).encode()
        return status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))], body


class _Handler(http.server.BaseHTTPRequestHandler):
    proxy: HttpProxy
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        fault = self.proxy.meet(kind_of(self.command, self.path)) or answer
        # The client may have gone by now.
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with suppress(ConnectionError):
            fault(self, *self.proxy.ask(self, content))

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def answer(handler: http.server.BaseHTTPRequestHandler, status: int, headers: Headers, body: bytes) -> None:
    """Answer as S3 did."""
    handler.send_response_only(status)
    for name, value in headers:
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def refuse(status: int, code: str) -> Fault:
    """Answer as S3 does when it is not well."""

    def fault(handler: http.server.BaseHTTPRequestHandler, _: int, __: object, ___: bytes) -> None:
        body = f"<Error><Code>{code}</Code><Message>Said by the proxy.</Message></Error>".encode()
        answer(handler, status, [("Content-Length", str(len(body)))], b"" if handler.command == "HEAD" else body)

    return fault


def reset_at_once(handler: http.server.BaseHTTPRequestHandler, *_: object) -> None:
    """Reset the connection instead of answering."""
    handler.close_connection = True
    reset(handler.connection)


def cut_body(handler: http.server.BaseHTTPRequestHandler, status: int, headers: Headers, body: bytes) -> None:
    """Promise the whole body, send half of it and close."""
    answer(handler, status, headers, body[: len(body) // 2])
    handler.close_connection = True


def reset_body(handler: http.server.BaseHTTPRequestHandler, status: int, headers: Headers, body: bytes) -> None:
    """Promise the whole body, send half of it and reset the connection."""
    answer(handler, status, headers, body[: len(body) // 2])
    reset_at_once(handler)


def shorten_body(handler: http.server.BaseHTTPRequestHandler, status: int, headers: Headers, body: bytes) -> None:
    """Promise half of the body and send that: nothing about the answer is wrong but its length."""
    half = body[: len(body) // 2]
    kept = [(name, value) for name, value in headers if name.lower() != "content-length"]
    answer(handler, status, [*kept, ("Content-Length", str(len(half)))], half)


def hang(seconds: float) -> Fault:
    """Answer nothing for so long that the client has given up."""

    def fault(handler: http.server.BaseHTTPRequestHandler, *_: object) -> None:
        threading.Event().wait(seconds)
        reset_at_once(handler)

    return fault
