"""Every block of shell and Python of every page does what the page says, on a fresh local stack.

The English pages are run, as a reader would: ``make up``, then page after page, each in a shell of its own. The
Chinese ones have the same blocks (see ``unit/test_pages.py``). What is not run says why, and is listed as skipped.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.records import ROOT
from tests.pages import Block, Page, Reader, pages, read

LAST = "docs/operations.md"  # its drills leave much behind

ENGLISH = {page.name: page for page in map(read, pages()) if not page.name.endswith(".zh-CN.md")}
ENGLISH[LAST] = ENGLISH.pop(LAST)
PROGRAMS = [block for page in ENGLISH.values() for block in page.programs]
FIRST = [block for block in PROGRAMS if block.marker[0] == "run first"]


class QuickAws:
    """The AWS CLI that ``make env`` lends, for many calls: see ``quick_aws.py``."""

    _PROGRAM = ROOT / "tests" / "quick_aws.py"

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="aws")  # a socket's path has to be short
        self._socket = Path(self._folder.name) / "socket"
        self._server = subprocess.Popen(
            [ROOT / ".venv" / "tools" / "awscli" / "bin" / "python", self._PROGRAM, "serve", self._socket],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._server.stdout is not None
        assert self._server.stdout.readline() == "listening\n"

    @property
    def as_a_shell_function(self) -> str:
        """A line of shell that makes ``aws`` call it, as ``local/bin/aws`` would."""
        call = f"{sys.executable} -S -E {self._PROGRAM} call {self._socket}"
        return f'aws() {{ {call} ${{AWS_ENDPOINT_URL:+--endpoint-url "$AWS_ENDPOINT_URL"}} "$@"; }}'

    def close(self) -> None:
        """End it."""
        self._server.communicate(timeout=20)
        self._folder.cleanup()


class Library:
    """What has been read so far, and what was wrong with it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))},
            "KUAIXINTONG_STACKS": str(folder / "stacks"),  # not the user's own, which may be up
            "AWS_ENDPOINT_URL": "http://127.0.0.1:9",  # until the page leads to the local stack, nowhere
            "SAM_CLI_TELEMETRY": "0",
            "__SAM_CLI_APP_DIR": str(folder / "sam"),
        }
        self._aws = QuickAws()
        self._wrong: dict[Block, str | None] = {}
        self._readers: dict[str, Reader] = {}

    def wrong_with(self, block: Block) -> str | None:
        """Read up to this block; return what is wrong with it, or nothing."""
        if block not in self._wrong:
            self._read(ENGLISH[block.page], block)
        return self._wrong[block]

    def close(self) -> None:
        """Stop everything, as a reader would; raises ``AssertionError`` if that does not work."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()
        wrong = self._reader("afterwards").does(Block("make down", 0, "sh", "make down\n"))
        self._readers["afterwards"].close()
        self._aws.close()
        assert wrong is None, wrong

    def _read(self, page: Page, last: Block) -> None:
        for name in page.before:
            before = ENGLISH[os.path.normpath(Path(page.name).parent / name)]
            self._read(before, before.programs[-1])
        for block in page.programs[: page.programs.index(last) + 1]:
            if block not in self._wrong and block.runs:
                self._wrong[block] = self._reader(page.name).does(block)

    def _reader(self, name: str) -> Reader:
        if name not in self._readers:
            self._readers[name] = Reader(
                self._folder / name.replace("/", "-"), self._environment, self._aws.as_a_shell_function
            )
        return self._readers[name]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """A local stack that `make up` has started, for all pages."""
    library = Library(tmp_path_factory.mktemp("pages"))
    try:
        for block in FIRST:
            assert library.wrong_with(block) is None
        yield library
    finally:
        library.close()


@pytest.mark.parametrize("block", PROGRAMS, ids=str)
def test_a_block_does_what_its_page_says(library: Library, block: Block) -> None:
    kind, value = block.marker
    if not block.runs:
        pytest.skip(value if kind == "not run" else f"an excerpt of {value}")
    wrong = library.wrong_with(block)
    assert wrong is None, wrong
