"""What tests of the campaign share: a way to say how far it is, also from one of several processes."""

import os
import sys
from collections.abc import Callable

import pytest

from tests.chaos.progress import Progress


@pytest.fixture
def progress(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Progress]:
    """Make a :class:`Progress` of a slice; it is told past whatever pytest captures.

    Slices whose names begin alike, up to the hyphen, belong together.
    """
    capture = request.config.pluginmanager.getplugin("capturemanager")
    folder = tmp_path_factory.getbasetemp()
    shared = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder

    def say(line: str) -> None:
        with capture.global_and_fixture_disabled():
            sys.stderr.write(f"\n{line}")
            sys.stderr.flush()

    def begin(name: str, total: int, unit: str = "schedules") -> Progress:
        return Progress(shared / name.split("-", maxsplit=1)[0], name, total, unit, say)

    return begin
