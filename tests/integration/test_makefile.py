"""What make says and does on machines that are not as it wants them."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.records import ROOT


@pytest.fixture
def copy() -> Iterator[Path]:
    """A folder with what make needs and nothing installed; not in ``tmp_path``, which is its user's alone."""
    with tempfile.TemporaryDirectory(prefix="copy") as name:
        folder = Path(name).resolve()
        folder.chmod(0o755)
        shutil.copy(ROOT / "Makefile", folder)
        shutil.copytree(ROOT / "requirements", folder / "requirements")
        yield folder


def make(
    folder: Path, *arguments: str, path: str | None = None, user: int | None = None
) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    environment["PATH"] = path or environment["PATH"]
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=environment, user=user, capture_output=True, text=True, check=False
    )


def test_make_env_with_nothing_installed_prints_nothing_that_a_shell_would_run(copy: Path) -> None:
    done = make(copy, "-s", "env")
    assert done.returncode != 0
    assert done.stdout == ""
    assert done.stderr.startswith("No local stack is up; `make up` starts one.\n")


def test_a_folder_that_cannot_be_written_to_is_told_at_once(copy: Path) -> None:
    copy.chmod(0o555)
    done = make(copy, "demo", user=65534 if os.getuid() == 0 else None)
    assert done.returncode != 0
    assert f"This folder cannot be written to, and everything is installed into it: {copy}" in done.stderr
    assert done.stdout == ""


def installed(copy: Path, place: Path) -> None:
    """Pretend that all is installed, in a folder that was at ``place``."""
    marks = copy / ".venv" / "marks"
    marks.mkdir(parents=True)
    (marks / "place").write_text(f"{place}\n", "utf-8")
    for each in ("uv", "dev"):
        (marks / each).touch()


def test_what_is_installed_is_left_alone_where_it_was_installed(copy: Path) -> None:
    installed(copy, copy)
    assert "up to date" in make(copy, ".venv/marks/dev").stdout


def test_after_a_move_everything_is_installed_anew(copy: Path) -> None:
    installed(copy, copy.parent / "elsewhere")
    plan = make(copy, "-n", ".venv/marks/dev").stdout
    assert "the folder has moved" in plan
    assert "rm -rf .venv\n" in plan
    assert "uv pip sync" in plan


def test_an_installation_that_was_cut_off_is_begun_anew(copy: Path, tmp_path: Path) -> None:
    half_made = copy / ".venv" / "bin" / "python"
    half_made.parent.mkdir(parents=True)
    half_made.write_text("#!/bin/sh\nexit 1\n", "utf-8")  # there, but without pip
    python = tmp_path / "python3.13"
    python.write_text(
        '#!/bin/sh\n[ "$2" != venv ] || { mkdir -p .venv/bin && cp "$0" .venv/bin/python; }\n', "utf-8"
    )
    for program in (half_made, python):
        program.chmod(0o755)
    done = make(copy, ".venv/marks/uv", path=f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert done.returncode == 0, done.stderr
    assert half_made.read_bytes() == python.read_bytes()
    assert (copy / ".venv" / "marks" / "place").read_text("utf-8") == f"{copy}\n"


def find_python(path: Path) -> "subprocess.CompletedProcess[str]":
    """Look for a Python in a folder of programs, bash being the only other."""
    for tool in ("bash", "env"):
        (path / tool).symlink_to(shutil.which(tool) or tool)
    return subprocess.run(
        [ROOT / "requirements" / "find-python.sh"],
        env={"PATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_python_3_13_the_ways_to_one_are_told(tmp_path: Path) -> None:
    done = find_python(tmp_path)
    assert done.returncode == 1
    assert "`pyenv install 3.13`" in done.stderr
    assert "uv" in done.stderr


def test_a_python_of_pyenvs_is_found_though_its_stand_in_refuses(tmp_path: Path) -> None:
    real = tmp_path / "root" / "versions" / "3.13.9" / "bin" / "python"
    real.parent.mkdir(parents=True)
    real.write_text("#!/bin/sh\n", "utf-8")
    (tmp_path / "pyenv").write_text(f"#!/bin/sh\necho {tmp_path / 'root'}\n", "utf-8")
    (tmp_path / "python3.13").write_text("#!/bin/sh\nexit 127\n", "utf-8")
    for program in (real, tmp_path / "pyenv", tmp_path / "python3.13"):
        program.chmod(0o755)
    done = find_python(tmp_path)
    assert done.stdout.strip() == str(real)
