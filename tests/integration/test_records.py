"""What is written down of stacks: who finds it, who leaves it alone, who clears it away."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from local import console, down, env, environment, processes, records, up
from local.processes import Failed, Process
from local.records import Record
from tests.serving import serving

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
EXPORTS = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "CONTROL": "http://127.0.0.1:2/_sim", "PUSH": "http://x/y?z'"}


class Place:
    """A folder of stacks with real processes in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: dict[str, Process] = {}

    def stack(self, name: str, owner: Process | None, *, exports: Mapping[str, str] | None = None) -> Process:
        (self.folder / name).mkdir(parents=True)
        process = processes.start(
            name, SLEEPER, log=self.folder / name / "log", env=os.environ, cwd=self.folder / name
        )
        self.running[name] = process
        Record(name, owner, (process,), exports or {}, {}).write(self.folder / name)
        return process

    @property
    def alive(self) -> set[str]:
        return {name for name, process in self.running.items() if process.alive}

    @property
    def folders(self) -> set[str]:
        return {path.name for path in self.folder.iterdir() if path.is_dir()}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("KUAIXINTONG_STACKS", str(tmp_path / "stacks"))
    place = Place(tmp_path / "stacks")
    place.folder.mkdir()
    yield place
    for process in place.running.values():
        process.stop()


def dead() -> Process:
    child = subprocess.Popen(SLEEPER)
    process = Process.of("owner", child.pid)
    child.kill()
    child.wait()
    return process


def silent(_step: str) -> None:
    pass


def test_what_a_killed_run_left_behind_is_cleared_and_what_was_kept_stays(place: Place) -> None:
    place.stack("left", dead())
    place.stack("in-use", Process.current())
    place.stack("kept", None)
    assert records.clear_leftovers(silent) == 1
    assert place.alive == {"in-use", "kept"}
    assert records.clear_leftovers(silent, kept_too=True) == 1
    assert place.alive == place.folders == {"in-use"}


def test_after_a_reboot_the_kept_stack_is_up_no_more_and_its_ids_are_left_alone(place: Place) -> None:
    process = place.stack("kept", None)
    before_the_reboot = replace(process, began=f"another-boot+{process.began.partition('+')[2]}")
    Record("kept", None, (before_the_reboot,), EXPORTS, {}).write(place.folder / "kept")
    up._only_one()  # does not say that one is up
    with pytest.raises(Failed, match="No local stack is up; `make up` starts one"):
        env.main()
    assert records.clear_leftovers(silent) == 1
    assert process.alive
    assert place.folders == set()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "kept", "owner": null}'])
def test_a_record_that_a_power_cut_has_spoilt_is_cleared_away(place: Place, text: str) -> None:
    (place.folder / "kept").mkdir()
    (place.folder / "kept" / "state.json").write_text(text, "utf-8")
    up._only_one()
    assert records.clear_leftovers(silent) == 1
    assert place.folders == set()


def test_make_up_says_which_stack_is_up(place: Place) -> None:
    place.stack("local-1", None)
    with pytest.raises(Failed, match="local-1 is up already: `make env` tells how to reach it, `make down` stops"):
        up.main()


def test_make_up_says_what_of_a_stack_has_ended(place: Place) -> None:
    process = place.stack("local-1", None)
    Record("local-1", None, (process, replace(dead(), name="simulator")), {}, {}).write(place.folder / "local-1")
    with pytest.raises(Failed, match="local-1 is up, but its simulator ended: `make down`, then `make up`"):
        up.main()


def test_of_two_make_up_at_once_one_is_told_of_the_other(place: Place) -> None:
    waiting = (
        "from local import records; import sys\nwith records.starting_alone(): print('in', flush=True); input()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", waiting], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=records.ROOT
    )
    assert other.stdout is not None
    try:
        assert other.stdout.readline() == b"in\n"
        with pytest.raises(Failed, match="Another `make up` is at work in this folder"):
            up.main()
    finally:
        other.communicate(b"\n", timeout=20)
    up._only_one()


def test_make_console_prints_the_link_that_nobody_has_used_yet(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Failed, match="No console is up; `make up` starts one"):
        console.main()
    place.stack("local", None)
    log = "http://127.0.0.1:8800/open?key=used\nsomething else\nhttp://127.0.0.1:8800/open?key=fresh\n"
    (place.folder / "local" / "console.log").write_text(log, "utf-8")
    console.main()
    assert capsys.readouterr().out == "http://127.0.0.1:8800/open?key=fresh\n"


def test_make_clean_stops_what_is_up(place: Place) -> None:
    place.stack("kept", None)
    down.vacate()
    assert place.alive == set()


def test_make_clean_takes_nothing_away_from_under_somebody_at_work(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    owner = subprocess.Popen(SLEEPER)
    try:
        place.stack("demo-7", Process.of("owner", owner.pid))
        with pytest.raises(Failed, match="Nothing was removed"):
            down.vacate()
        assert "demo-7 is at work and stops by itself" in capsys.readouterr().err
        assert place.alive == {"demo-7"}
    finally:
        owner.kill()
        owner.wait()


def test_make_down_says_when_there_is_nothing_to_stop(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    down.main()
    assert capsys.readouterr().out == "Nothing is running.\n"


def in_a_shell(lines: str, users: Mapping[str, str], names: list[str]) -> dict[str, str | None]:
    """Run the lines in a shell of the user's, and return what its programs then find in their environment."""
    show = "import json, os, sys; print(json.dumps({name: os.environ.get(name) for name in sys.argv[1:]}))"
    script = f'eval "$1"; shift; exec {sys.executable} -c "$@"'
    done = subprocess.run(
        ["sh", "-euc", script, "sh", lines, show, *names],
        env={"PATH": os.environ["PATH"], **users},
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, str | None] = json.loads(done.stdout)
    return found


def test_make_env_leads_there_whatever_the_shell_knew_before() -> None:
    users = {
        "AWS_PROFILE": "nobody",
        "AWS_ENDPOINT_URL_SQS": "https://sqs.example",
        "AWS_SESSION_TOKEN": "of a real account",
        "AWS_REGION": "cn-north-1",
        "no_proxy": "intranet.example",
        "http_proxy": "http://127.0.0.1:9",
    }
    lines = environment.exports(EXPORTS | {"AWS_REGION": "us-east-1"}, users, tools=[Path("/a folder/bin")])
    names = [*users, *EXPORTS, "NO_PROXY", "PATH"]
    found = in_a_shell(lines, users, names)
    assert found == {
        "AWS_PROFILE": None,
        "AWS_ENDPOINT_URL_SQS": None,
        "AWS_SESSION_TOKEN": None,
        "AWS_REGION": "us-east-1",
        "no_proxy": "127.0.0.1,localhost,intranet.example",
        "http_proxy": "http://127.0.0.1:9",
        **EXPORTS,
        "NO_PROXY": "127.0.0.1,localhost",
        "PATH": f"/a folder/bin:{os.environ['PATH']}",
    }


def test_make_env_prints_what_the_stack_was_kept_with(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    account = {"PUSH_UID": "local", "PUSH_PWD": "changed"}
    monkeypatch.setattr(env, "_push_account", lambda _stack: account)  # asks the stack itself; pages.py does it
    place.stack("local-1", None, exports=EXPORTS)
    place.stack("demo-2", Process.current())
    env.main()
    assert in_a_shell(capsys.readouterr().out, {}, [*EXPORTS, *account]) == EXPORTS | account


def test_make_env_says_what_of_the_stack_has_ended(place: Place) -> None:
    process = place.stack("local-1", None)
    Record("local-1", None, (process, replace(dead(), name="simulator")), EXPORTS, {}).write(
        place.folder / "local-1"
    )
    with pytest.raises(Failed, match="The local stack's simulator ended: `make down`, then `make up`"):
        env.main()


@pytest.mark.parametrize(
    ("answer", "enough"),
    [
        ("aws-cli/2.13.0 Python/3.11.4", True),
        ("aws-cli/2.31.2 Python/3.13.7", True),
        ("aws-cli/2.9.19 Python/3.11.2", False),  # Debian 12's
        ("aws-cli/1.45.11 Python/3.11.7", False),
        ("pyenv: aws: command not found", False),
    ],
)
def test_an_aws_that_does_not_heed_the_endpoint_is_not_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, enough: bool
) -> None:
    (tmp_path / "aws").write_text(f"#!/bin/sh\necho '{answer}'\n", "utf-8")
    (tmp_path / "aws").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert env._aws_is_enough() is enough


def test_no_aws_at_all_is_not_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not env._aws_is_enough()


def test_the_projects_own_aws_heeds_the_endpoint_for_sqs_too(one_queue: str) -> None:
    done = subprocess.run(
        [records.ROOT / "local" / "bin" / "aws", "sqs", "list-queues"],
        env={**os.environ, "AWS_ENDPOINT_URL": one_queue},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(done.stdout) == {"QueueUrls": ["http://here/queue"]}


@pytest.fixture
def one_queue() -> Iterator[str]:
    """A server that knows of one queue, whatever it is asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"QueueUrls": ["http://here/queue"]}')

        def log_message(self, *_arguments: object) -> None:
            pass

    with serving(Handler) as address:
        yield address


HOSTILE = {
    "http_proxy": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "all_proxy": "http://127.0.0.1:9",
    "AWS_PROFILE": "nobody",
    "AWS_CONFIG_FILE": "/nowhere",
    "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:9",
    "PIP_INDEX_URL": "http://127.0.0.1:9",
    "PYTHONPATH": "/nowhere",
}


def test_nothing_of_the_users_that_leads_elsewhere_reaches_a_program_of_the_stack() -> None:
    left = environment.neutral({"PATH": "/bin", "LC_ALL": "C.UTF-8", **HOSTILE})
    assert left["PATH"] == "/bin"
    assert left["LC_ALL"] == "C.UTF-8"
    assert left["AWS_CONFIG_FILE"] == os.devnull
    assert left["no_proxy"] == left["NO_PROXY"] == "*"
    assert not set(left) & (set(HOSTILE) - {"AWS_CONFIG_FILE"})


def test_a_command_that_lacks_a_library_says_which_and_what_to_do(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.modules['boto3'] = None; import local.commands as commands;"
            "sys.exit(commands.run('up'))",
        ],
        cwd=records.ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.endswith("`make` installs what is missing, also after the folder has moved.\n")
    assert "Traceback" not in done.stderr


def test_a_command_that_may_not_write_says_where_and_no_more(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "local", "up"],
        env={**os.environ, "KUAIXINTONG_STACKS": "/proc/self/stacks"},
        cwd=records.ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr == "/proc/self/stacks: No such file or directory.\n"


def test_a_ctrl_c_before_anything_has_started_leaves_a_word_and_no_traceback(tmp_path: Path) -> None:
    slow = tmp_path / "psutil"  # what is imported early, and takes its time here
    slow.mkdir()
    (slow / "__init__.py").write_text("print('importing', flush=True)\ninput()\n", "utf-8")
    with ExitStack() as stack:
        command = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "local", "demo"],
                env={**os.environ, "PYTHONPATH": str(tmp_path)},
                cwd=records.ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        )
        stack.callback(command.kill)
        assert command.stdout is not None
        assert command.stdout.readline() == b"importing\n"
        command.send_signal(2)
        assert command.wait(20) == 130
        assert command.stderr is not None
        assert command.stderr.read() == b"\nStopped.\n"
