"""A customer's push receiver by one who has read the spec and nothing else: it writes down what comes."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs

from tests.serving import serving
from tests.spec_samples import PUSH_ANSWER

type Answer = tuple[int, bytes]


@dataclass(frozen=True)
class PushSeen:
    """One push as it came in, whatever was answered."""

    method: str
    path: str
    content_type: str
    body: bytes
    form: dict[str, str]

    @property
    def kind(self) -> str:
        """``report`` or ``mo``."""
        return self.form["type"]

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The decoded ``jsonData``."""
        entries = json.loads(self.form["jsonData"])
        assert isinstance(entries, list)
        return entries


@dataclass
class Receiver:
    """``answer`` decides what is said to the n-th push, counted from 1; the default takes all."""

    url: str = ""
    pushes: list[PushSeen] = field(default_factory=list)
    answer: Callable[[int], Answer] = lambda _number: (200, PUSH_ANSWER)

    @property
    def entries(self) -> list[dict[str, Any]]:
        """All entries of all pushes in order of arrival."""
        return [entry for push in self.pushes for entry in push.entries]

    def mobiles(self) -> list[str]:
        """The mobiles of all entries in order of arrival."""
        return [str(entry["mobile"]) for entry in self.entries]


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Run a receiver on a free port while the block lasts."""
    seen, lock = Receiver(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            form = {
                name: values[0] for name, values in parse_qs(body.decode("ascii"), strict_parsing=True).items()
            }
            push = PushSeen(self.command, self.path, self.headers["Content-Type"], body, form)
            with lock:
                seen.pushes.append(push)
                status, answer = seen.answer(len(seen.pushes))
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    with serving(Handler) as address:
        seen.url = f"{address}/receive"
        yield seen
