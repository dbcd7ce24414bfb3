"""What ``pip install '.[cli]'`` puts into an empty environment works word for word as README says."""

import os
import subprocess
import sys
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from local.records import ROOT
from tests.e2e.deployment import Deployment
from tests.integration.test_package import closure
from tests.pages import Block, agrees, read

README = read(ROOT / "README.md")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the project's wheel, and what it and its extra ``cli`` ask for, and nothing more."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder / "venv", symlinks=True)
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = folder.glob("*.whl")
    (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    for name in closure("boto3", "msgspec", "typer", "rich", "python-calamine"):
        for top in {
            file.parts[0] for file in metadata.files(name) or [] if file.parts[0] not in ("..", "__pycache__")
        }:
            (packages / top).symlink_to(Path(str(metadata.distribution(name).locate_file(top))))
    command = folder / "venv" / "bin" / "kxt"  # as pip makes it of the wheel's entry point
    command.write_text(f"#!{folder}/venv/bin/python\nfrom kxt.__main__ import main\nmain()\n")
    command.chmod(0o755)
    return folder / "venv" / "bin"


def the_block(beginning: str) -> Block:
    (block,) = (
        each for each in README.programs if each.text.startswith(beginning) or f"\n{beginning}" in each.text
    )
    return block


def run(
    installed: Path, deployment: Deployment, tmp_path: Path, *command: str
) -> subprocess.CompletedProcess[str]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "AWS_"))},
        **deployment.stack.environment,
        "STACK": deployment.stack.name,
        "KXT_STACK": deployment.stack.name,
        "PATH": f"{installed}:{os.environ['PATH']}",
    }
    return subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_a_producer_in_three_lines(installed: Path, deployment: Deployment, tmp_path: Path) -> None:
    block = the_block("from kuaixintong.producer import Outbox")
    done = run(installed, deployment, tmp_path, str(installed / "python"), "-c", block.text)
    assert (done.returncode, done.stderr) == (0, "")
    assert block.shows
    assert agrees(done.stdout, block.shows)


def test_a_send_from_the_command_line(installed: Path, deployment: Deployment, tmp_path: Path) -> None:
    block = the_block("kxt send")
    done = run(installed, deployment, tmp_path, "bash", "-c", block.text)
    assert done.returncode == 0, done.stderr
    assert block.shows
    assert agrees(done.stdout, block.shows)
    shown = run(installed, deployment, tmp_path, "kxt", "show", "order-4711")
    assert "13708600860" in shown.stdout
    unknown = run(installed, deployment, tmp_path, "kxt", "show", "nobody")
    assert (unknown.returncode, "No send is known as nobody" in unknown.stderr) == (1, True)
    elsewhere = run(installed, deployment, tmp_path, "kxt", "show", "order-4711", "--stack", "nowhere")
    assert (elsewhere.returncode, "There is no stack nowhere" in elsewhere.stderr) == (1, True)
    assert "Traceback" not in unknown.stderr + elsewhere.stderr


def test_without_the_extra_the_library_alone_is_enough(installed: Path, tmp_path: Path) -> None:
    code = "import sys, kuaixintong.producer, kuaixintong.stack; print(sorted({*sys.modules} & {'typer', 'rich'}))"
    done = subprocess.run(
        [str(installed / "python"), "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
