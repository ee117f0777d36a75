"""Where messages arrive in the tests: a small web server and a small mail server of their own, each on a loopback port."""

from __future__ import annotations

import email
import email.policy
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(slots=True, kw_only=True)
class Request:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True, kw_only=True)
class WebSink:
    """Answers each POST with the next of `statuses`, the last one for ever. `hold` keeps requests until it is set."""

    port: int = 0
    statuses: list[int] = field(default_factory=lambda: [200])
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    requests: list[Request] = field(default_factory=list)
    hold: threading.Event | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks/s3cret-path"

    def answer(self) -> int:
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]


@contextmanager
def web_sink() -> Iterator[WebSink]:
    sink = WebSink()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            sink.requests.append(Request(path=self.path, headers=dict(self.headers.items()), body=body))
            if sink.hold is not None:
                sink.hold.wait(30)
            self.send_response(sink.answer())
            for name, value in sink.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(sink.body)))
            self.end_headers()
            self.wfile.write(sink.body)

        do_GET = do_POST  # noqa: N815 - the library's word

        def log_message(self, *_: Any) -> None:
            """Not to the terminal."""

    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        sink.port = port
        yield sink


@dataclass(slots=True, kw_only=True)
class MailSink:
    """`refused` are the codes with which receivers are refused, one after the other; then they are taken."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    receivers: list[str] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)


@contextmanager
def mail_sink() -> Iterator[MailSink]:
    sink = MailSink()

    class Handler(socketserver.StreamRequestHandler):
        def say(self, words: str) -> None:
            self.wfile.write(f"{words}\r\n".encode())

        def handle(self) -> None:
            self.say("220 sink")
            for line in iter(self.rfile.readline, b""):
                verb = line.split()[0].upper() if line.split() else b""
                if verb == b"RCPT" and sink.refused:
                    self.say(f"{sink.refused.pop(0)} not here")
                elif verb == b"RCPT":
                    sink.receivers.append(line.decode().split("<")[1].split(">")[0])
                    self.say("250 ok")
                elif verb == b"DATA":
                    self.say("354 go on")
                    self.take()
                elif verb == b"QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 sink")

        def take(self) -> None:
            lines = list(iter(self.rfile.readline, b".\r\n"))
            mail = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
            assert isinstance(mail, EmailMessage)
            sink.mails.append(mail)
            self.say("250 taken")

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = daemon_threads = True

    with _serving(Server(("127.0.0.1", 0), Handler)) as port:
        sink.port = port
        yield sink


@contextmanager
def _serving(server: socketserver.TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield int(server.socket.getsockname()[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
