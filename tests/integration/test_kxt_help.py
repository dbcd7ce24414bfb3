"""The printed help of every command, in English and Chinese, and how output looks on a terminal and in a pipe."""

import json
import os
import pty
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from rich.cells import cell_len

ROOT = Path(__file__).parents[2]

COMMANDS = (
    *("send", "import", "show", "who", "campaign", "today", "attention", "redrive", "quarantine"),
    *("cancel", "confirm", "optout", "account", "doctor", "console"),
)
SUBCOMMANDS = (
    *("quarantine list", "quarantine release"),
    *("optout list", "optout add", "optout remove", "optout import", "optout export"),
)
LANGUAGES = ("C.UTF-8", "zh_CN.UTF-8")

_ALL_HELP = """
import json, sys
from typer.testing import CliRunner
from kxt.commands import everything
app = everything()
print(json.dumps([CliRunner().invoke(app, [*line.split(), "--help"]).output for line in sys.argv[1:]]))
"""


@cache
def helps(language: str) -> dict[str, str]:
    """Every command's help, in a process that speaks the language, on a terminal of 80 columns."""
    lines = ["", *COMMANDS, *SUBCOMMANDS]
    environment = os.environ | {"LC_ALL": language, "COLUMNS": "80", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", _ALL_HELP, *lines],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=environment,
    )
    return dict(zip(lines, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("line", ["", *COMMANDS, *SUBCOMMANDS])
def test_help_fits_a_terminal_of_80_columns(language: str, line: str) -> None:
    printed = helps(language)[line]
    assert printed.startswith("Usage: ")
    assert [each for each in printed.splitlines() if cell_len(each) > 80] == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "line", [*(each for each in COMMANDS if each not in ("quarantine", "optout")), *SUBCOMMANDS]
)
def test_help_leads_with_examples(language: str, line: str) -> None:
    printed = helps(language)[line]
    assert f"    kxt {line}" in printed
    assert printed.index(f"    kxt {line}") < printed.index("Options:")


def test_help_speaks_chinese_where_that_is_set() -> None:
    for line in ("", *COMMANDS, *SUBCOMMANDS):
        assert re.search("[\u4e00-\u9fff]{4}", helps("zh_CN.UTF-8")[line].replace("快信通", "")), line
        english = re.sub("kxt .*", "", helps("C.UTF-8")[line]).replace("快信通", "")
        assert not re.search("[\u4e00-\u9fff]", english), line


@pytest.mark.parametrize("command", COMMANDS)
def test_the_list_of_commands_names_each_in_a_whole_sentence(command: str) -> None:
    (line,) = re.findall(rf"^  {command} +(.+)$", helps("C.UTF-8")[""], re.MULTILINE)
    assert not line.endswith("...")


# --- the program ------------------------------------------------------------------------------------------------

_TABLE = """
from kxt.shell import Shell
shell = Shell(None, None, None, {json})
shell.table(("id", "text"), [("order-1", "一\\t二"), ("order-2", "x" * 90)])
shell.say("said")
shell.give([1])
"""


def run(code: str, *, terminal: bool = False, **environment: str) -> tuple[str, str]:
    """Run code in a process; return what it printed and said, on a terminal of 80 columns or into a pipe."""
    outside = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "80", "TERM": "xterm-256color"} | environment
    if not terminal:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60, env=outside
        )
        return done.stdout, done.stderr
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=theirs, stderr=subprocess.PIPE, env=outside
    ) as process:
        os.close(theirs)
        printed = b""
        try:
            while piece := os.read(ours, 4096):
                printed += piece
        except OSError:
            pass  # the terminal's other end is closed
        assert process.stderr is not None
        said = process.stderr.read()
    os.close(ours)
    return printed.decode(), said.decode()


def test_in_a_pipe_a_table_is_lines_with_tabs_between_and_nothing_is_cut() -> None:
    printed, said = run(_TABLE.format(json=False))
    assert printed.splitlines() == ["id\ttext", "order-1\t一 二", f"order-2\t{'x' * 90}"]
    assert said == "said\n"


def test_on_a_terminal_a_table_has_columns_and_fits() -> None:
    printed, _ = run(_TABLE.format(json=False), terminal=True)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", printed).splitlines()
    assert lines[0].split() == ["id", "text"]
    assert all(cell_len(line) <= 80 for line in lines)
    assert "\x1b[" in printed


def test_no_color_is_heard() -> None:
    printed, _ = run(_TABLE.format(json=False), terminal=True, NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", printed)


def test_json_is_all_that_is_printed_where_it_is_wanted() -> None:
    printed, said = run(_TABLE.format(json=True), terminal=True)
    assert (json.loads(printed), said) == ([1], "said\n")


def kxt(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "kxt", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
    )


def test_a_reader_that_has_heard_enough_is_no_trouble() -> None:
    done = subprocess.run(
        f"{sys.executable} -P -m kxt --help | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert (done.stdout.startswith("Usage: kxt"), done.stderr) == (True, "")


def test_without_the_extra_the_user_is_told_which(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise ModuleNotFoundError('typer')")
    done = kxt("show", "order-1", PYTHONPATH=f"{tmp_path}:{ROOT}")
    assert (done.returncode, done.stdout) == (1, "")
    assert "pip install 'kuaixintong[cli]'" in done.stderr


def test_completion_is_offered_for_shells() -> None:
    done = kxt("--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert (done.returncode, "_KXT_COMPLETE" in done.stdout) == (0, True)
    asked = kxt(_KXT_COMPLETE="complete_bash", COMP_WORDS="kxt sh", COMP_CWORD="1")
    assert asked.stdout.split() == ["show"]


def test_without_credentials_and_without_a_network_there_are_sentences(tmp_path: Path) -> None:
    bare = {
        "KUAIXINTONG_STACKS": str(tmp_path),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
    }
    gone = kxt("show", "x", "--stack", "y", **bare, AWS_ENDPOINT_URL="http://127.0.0.1:9", AWS_MAX_ATTEMPTS="1")
    assert (gone.returncode, gone.stdout) == (1, "")
    assert "was not reached" in gone.stderr
    assert "Check the network, the proxy and the region." in gone.stderr
    nobody = kxt("show", "x", "--stack", "y", **bare, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert (nobody.returncode, nobody.stdout) == (1, "")
    assert "No AWS credentials were found" in nobody.stderr
    unknown = kxt("show", "x", "--stack", "y", "--profile", "nobody", **bare)
    assert (unknown.returncode, "There is no AWS profile of that name (nobody)" in unknown.stderr) == (1, True)
    for each in (gone, nobody, unknown):
        assert "Traceback" not in each.stderr
