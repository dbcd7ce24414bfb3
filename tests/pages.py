"""The documentation's pages as programs: their blocks, and sessions that run them as a reader would.

A block of shell or Python is run, in the order in which it stands; a block of text or JSON right after one is what
it prints. What a block cannot tell by itself stands in a comment before it, which readers of the page do not see:

=====================================  ====================================================================
``<!-- not run: why -->``              it is skipped, and listed as skipped
``<!-- run first -->``                 it makes the stack that all pages are run on
``<!-- in the background: 8180 -->``   it goes on running; ports that it names are replaced by free ones
``<!-- excerpt: path -->``             it is not run; its lines stand in that file
``<!-- goes on from: page -->``        anywhere in a page: that other page is read before this one
=====================================  ====================================================================
"""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from socket import create_connection
from typing import Any

from local import processes
from local.processes import Failed, Process, wait_until
from local.records import ROOT

RUN = ("sh", "python")
_SHOWN = ("text", "json")

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\S*)\s*$")
_MARKER = re.compile(
    r"^ *<!-- (?P<kind>not run|run first|in the background|excerpt|goes on from)(?:: (?P<value>.+))? -->\s*$"
)
_PATIENCE = (
    45.0,
    45.0,
    15.0,
)  # seconds: a reader looks again when a row is not there yet; less each time it never is


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. ``marker`` is ``(kind, value)``; ``shows`` is what the page says that it prints."""

    page: str
    line: int
    language: str
    text: str
    marker: tuple[str, str] = ("", "")
    shows: str | None = None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def runs(self) -> bool:
        """Whether running the page runs it."""
        return self.language in RUN and self.marker[0] not in ("not run", "excerpt")


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the documentation; ``before`` names those that it goes on from."""

    name: str
    blocks: tuple[Block, ...]
    before: tuple[str, ...]

    @property
    def programs(self) -> list[Block]:
        """Its blocks of shell and Python, run or not."""
        return [block for block in self.blocks if block.language in RUN]


def pages() -> list[Path]:
    """Return every page of the documentation: README first, then by name."""
    return [*sorted(ROOT.glob("README*.md")), *sorted((ROOT / "docs").glob("**/*.md"))]


def read(path: Path) -> Page:
    """Take a page apart. Raises ``ValueError`` for a fence that does not end."""
    name = str(path.relative_to(ROOT))
    blocks: list[Block] = []
    before: list[str] = []
    marker = ("", "")
    lines = iter(enumerate(path.read_text("utf-8").splitlines(), 1))
    for number, line in lines:
        if found := _MARKER.match(line):
            marker = (found["kind"], found["value"] or "")
            if marker[0] == "goes on from":
                before.append(marker[1])
                marker = ("", "")
        elif fence := _FENCE.match(line):
            text = _fenced(lines, fence["indent"], f"{name}:{number}")
            blocks.append(Block(name, number, fence["language"], text, marker))
            marker = ("", "")
        elif line.strip():
            marker = ("", "")
            blocks.append(Block(name, number, "prose", line))
    return Page(name, tuple(_with_what_it_shows(blocks)), tuple(before))


def _fenced(lines: Any, indent: str, where: str) -> str:
    inside: list[str] = []
    for _number, line in lines:
        if _FENCE.match(line):
            return "".join(f"{each.removeprefix(indent)}\n" for each in inside)
        inside.append(line)
    raise ValueError(f"{where}: the block does not end")


def _with_what_it_shows(blocks: list[Block]) -> list[Block]:
    joined = []
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        shows = following.text if block.runs and following and following.language in _SHOWN else None
        if block.language != "prose":
            joined.append(replace(block, shows=shows))
    return joined


def agrees(printed: str, shown: str) -> bool:
    """Whether a program printed what a page shows; numbers and digests may differ, ``…`` is anything."""
    return re.fullmatch(_pattern(shown), " ".join(printed.split()), re.DOTALL) is not None


def _pattern(shown: str) -> str:
    words = " ".join(shown.split())
    pieces = re.split(r"([0-9A-Fa-f]{8,}|[0-9]+| ?… ?)", words)
    return "".join(
        ".*"
        if "…" in piece
        else "[0-9]+"
        if piece.isdecimal()
        else "[0-9A-Fa-f]+"
        if re.fullmatch(r"(?=.*[0-9])[0-9A-Fa-f]{8,}", piece)
        else re.escape(piece)
        for piece in pieces
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a block did: exit status, what it printed, what it complained about."""

    status: int
    printed: str
    complaints: str


class Shell:
    """A bash that keeps what earlier blocks have set. A command that fails anywhere in a block fails the block."""

    def __init__(self, folder: Path, environment: Mapping[str, str], setup: str) -> None:
        self._folder = folder
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._tell("set -E -o pipefail")
        self._tell(setup)

    def run(self, text: str) -> Outcome:
        """Run a block to its end."""
        block, printed, complaints, failed = (self._folder / name for name in ("block", "out", "err", "failed"))
        block.write_text(text, "utf-8")
        failed.write_text("", "utf-8")
        # the trap is heard in functions and in $(…) too; it notes, since only the last status is seen
        self._tell(f"trap 'echo \"$BASH_COMMAND\" >> {failed}' ERR")
        self._tell(f". {block} > {printed} 2> {complaints} < /dev/null; echo $?; trap - ERR")
        assert self._process.stdout is not None
        status = int(self._process.stdout.readline())
        because = failed.read_text("utf-8")
        told = complaints.read_text("utf-8", errors="replace")
        return Outcome(status or bool(because), printed.read_text("utf-8", errors="replace"), f"{because}{told}")

    @property
    def environment(self) -> dict[str, str]:
        """What a program that is started now finds in its environment."""
        shown = self.run("env -0").printed.split("\0")
        return dict(each.split("=", 1) for each in shown if "=" in each)

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=20)

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()


class Python:
    """A Python that keeps what earlier blocks have set."""

    _DRIVER = """
import contextlib, io, json, sys, traceback
names = {"__name__": "__main__"}
for line in sys.stdin:
    out, complaints = io.StringIO(), ""
    try:
        with contextlib.redirect_stdout(out):
            exec(compile(json.loads(line), "<block>", "exec"), names)
    except Exception:
        complaints = traceback.format_exc()
    print(json.dumps([out.getvalue(), complaints]), flush=True)
"""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", self._DRIVER],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, text: str) -> Outcome:
        """Run a block to its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(text)}\n")
        self._process.stdin.flush()
        printed, complaints = json.loads(self._process.stdout.readline())
        return Outcome(1 if complaints else 0, printed, complaints)

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=20)


class Reader:
    """Somebody who reads a page at a terminal: a shell, a Python beside it, programs in the background.

    ``setup`` is what the shell is told before all else.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], setup: str = "") -> None:
        folder.mkdir()
        self._folder = folder
        self._shell = Shell(folder, environment, setup)
        self._python: Python | None = None
        self._background: list[Process] = []
        self._ports: dict[str, str] = {}
        self._patience = [*_PATIENCE]

    def does(self, block: Block) -> str | None:
        """Run a block until it does what the page says, with patience; return what is wrong, or nothing."""
        kind, value = block.marker
        if kind == "in the background":
            self._ports |= {port: str(processes.free_port()) for port in value.split()}
            self._start(block, next(iter(self._ports.values())))
            return None
        wrong = ""

        def well() -> bool:
            nonlocal wrong
            wrong = _wrong_with(block, self._run(block))
            return not wrong

        with suppress(Failed):
            wait_until(well, str(block), seconds=self._patience[0] if self._patience else 0.0, pause=0.5)
        if wrong:
            del self._patience[:1]
        return wrong or None

    def close(self) -> None:
        """End everything that was started."""
        for process in self._background:
            process.stop()
        self._shell.close()
        if self._python:
            self._python.close()

    def _run(self, block: Block) -> Outcome:
        text = self._here(block.text)
        if block.language == "sh":
            return self._shell.run(text)
        self._python = self._python or Python(self._shell.environment)
        return self._python.run(text)

    def _start(self, block: Block, port: str) -> None:
        log = self._folder / "background"
        process = processes.start(
            str(block), ["bash", "-c", self._here(block.text)], log=log, env=self._shell.environment, cwd=ROOT
        )
        self._background.append(process)

        def listens() -> bool:
            with suppress(OSError), create_connection(("127.0.0.1", int(port)), timeout=1):
                return True
            return False

        wait_until(listens, f"{block} listens", seconds=_PATIENCE[0])

    def _here(self, text: str) -> str:
        for port, free in self._ports.items():
            text = text.replace(port, free)
        return text


def _wrong_with(block: Block, outcome: Outcome) -> str:
    if outcome.status:
        return f"{block} fails:\n{block.text}\n{outcome.printed}\n{outcome.complaints}"
    if block.shows is not None and not agrees(outcome.printed, block.shows):
        return f"{block} shows:\n{block.shows}\nand prints:\n{outcome.printed}\n{outcome.complaints}"
    return ""
