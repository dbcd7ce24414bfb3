"""What ``pip install .`` installs: the library, which needs boto3 and msgspec alone, and the command."""

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
LAYER = ROOT / "layers" / "kuaixintong"
PACKAGE = LAYER / "kuaixintong"

FOR_USERS = ("kuaixintong.producer", "kuaixintong.wiring.reading", "kuaixintong.quarantine")
"""What producers and readers import; the rest is the functions', which bring requirements of their own."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository's wheel, as pip would have it built, without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_whole_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    sources = {path.relative_to(LAYER).as_posix() for path in PACKAGE.rglob("*.py")}
    command = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "kxt").rglob("*")
        if path.suffix in (".py", ".js", ".css")
    }
    assert names == {*sources, *command, "kuaixintong/py.typed"}


def test_the_wheel_brings_the_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        assert "kxt = kxt.__main__:main" in archive.read(name).decode()


def test_the_package_asks_for_boto3_and_msgspec_alone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        told = Parser().parsestr(archive.read(name).decode())
    wanted = {named(each) for each in told.get_all("Requires-Dist", []) if "extra ==" not in each}
    assert (told["Name"], wanted) == ("kuaixintong", {"boto3", "msgspec"})


def test_the_installed_package_works_with_boto3_and_msgspec_alone(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    for name in closure("boto3", "msgspec"):
        for top in {file.parts[0] for file in metadata.files(name) or [] if file.parts[0] != ".."}:
            if not top.startswith("__pycache__"):
                (tmp_path / top).symlink_to(Path(str(metadata.distribution(name).locate_file(top))))
    code = (
        f"import sys; sys.path.append({str(tmp_path)!r}); import json, {', '.join(FOR_USERS)}; "
        "print(json.dumps([each.__file__ for each in sys.modules.values() if getattr(each, '__file__', None)]))"
    )
    # -S: without site-packages, where everything that the tests need would be found as well
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    ours = {Path(each).relative_to(tmp_path).parts[0] for each in json.loads(done.stdout) if str(tmp_path) in each}
    assert {"kuaixintong", "boto3", "msgspec"} <= ours


def test_the_layer_holds_the_package_and_its_requirements_and_no_command() -> None:
    assert {path.name for path in LAYER.iterdir()} == {"kuaixintong", "requirements.in", "requirements.txt"}
    assert not [path for path in PACKAGE.rglob("*") if "kxt" in path.name]


def closure(*names: str) -> set[str]:
    """The distributions of these names, and those that they need."""
    found: set[str] = set()
    rest = [*names]
    while rest:
        name = rest.pop()
        if name not in found:
            found.add(name)
            rest.extend(needs(name))
    return found


def needs(name: str) -> Iterator[str]:
    for each in map(Requirement, metadata.requires(name) or []):
        if each.marker is None or each.marker.evaluate({"extra": ""}):
            yield each.name


def named(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found
    return found[0]
