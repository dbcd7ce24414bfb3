"""``kxt optout``: who has opted out of marketing."""

from pathlib import Path
from typing import Annotated

import typer

from kuaixintong.optouts import Imported, NotAMobile
from kxt.app import group
from kxt.pictures import moment
from kxt.shell import FAILED, Misused, Shell, Told, command, helped
from kxt.words import both

optout = group("optout", "Who has opted out of marketing.", "退订营销短信的人。")

Mobiles = Annotated[list[str], typer.Argument(metavar="MOBILE", help=both("Mobiles.", "手机号。"))]
File = Annotated[Path, typer.Argument(metavar="FILE", help=both("A CSV file.", "CSV 文件。"))]


@command(
    optout,
    "list",
    helped("List who has opted out, since when, and by what.", "列出退订的人、时间和方式。", "kxt optout list"),
)
def list_(shell: Shell) -> None:
    """List them."""
    found = sorted(shell.stack.optouts.list(), key=lambda each: each.since)
    shell.table(
        ("mobile", "since", "by"),
        [(each.mobile, moment(each.since), each.by) for each in found],
        empty=both("Nobody has opted out.", "没有人退订。"),
    )
    shell.give(found)


@command(
    optout,
    "add",
    helped("Note that mobiles have opted out, now.", "记下这些号码已退订。", "kxt optout add 13708600860"),
)
def add(shell: Shell, mobiles: Mobiles) -> None:
    """Note opt-outs."""
    _change(shell, mobiles, out=True)


@command(
    optout,
    "remove",
    helped(
        "Note that mobiles may be sent marketing again.",
        "记下这些号码重新接受营销。",
        "kxt optout remove 13708600860",
    ),
)
def remove(shell: Shell, mobiles: Mobiles) -> None:
    """Note that they are back."""
    _change(shell, mobiles, out=False)


def _change(shell: Shell, mobiles: list[str], *, out: bool) -> None:
    optouts = shell.stack.optouts
    change = optouts.add if out else optouts.remove
    try:
        noted = [(mobile, change(mobile)) for mobile in mobiles]
    except NotAMobile as error:
        raise Misused(str(error)) from None
    told = both("noted", "已记下"), both("something as new is known", "已有同样新的记录")
    shell.table(("mobile", ""), [(mobile, told[0] if done else told[1]) for mobile, done in noted])
    shell.give([{"mobile": mobile, "noted": done} for mobile, done in noted])


@command(
    optout,
    "import",
    helped(
        "Bring a list along from elsewhere.\n\n"
        "The first column, or the one called mobile, holds the mobiles; since, if it is there, moments. It can be "
        "cut off and run again.",
        "从别处导入名单。\n\n第一列或名为 mobile 的列是手机号；如有 since 列，则为时间。\n可随时中断再运行。",
        "kxt optout import list.csv",
    ),
)
def import_(shell: Shell, file: File) -> None:
    """Import a list."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines, shell.err.status("…") as shown:
            told = shell.stack.optouts.import_csv(lines, progress=lambda so_far: shown.update(_far(so_far)))
    except (OSError, UnicodeDecodeError) as error:
        raise Told(both(f"{file} cannot be read: {error}.", f"无法读取 {file}：{error}。")) from None
    for wrong in told.wrong:
        shell.say(both(f"line {wrong.line}: {wrong.why}", f"第 {wrong.line} 行：{wrong.why}"), "red")
    shell.table(
        (both("noted", "记下"), both("known", "已有"), both("left out", "略过")),
        [(told.noted, told.known, told.faults)],
    )
    shell.give(told)
    if told.faults:
        raise typer.Exit(FAILED)


def _far(told: Imported) -> str:
    return both(f"{told.line} lines", f"{told.line} 行")


@command(
    optout,
    "export",
    helped("Write the list to a file.", "把名单写入文件。", "kxt optout export list.csv"),
)
def export(shell: Shell, file: File) -> None:
    """Export the list."""
    try:
        with file.open("w", encoding="utf-8-sig", newline="") as to:
            count = shell.stack.optouts.export_csv(to)
    except OSError as error:
        raise Told(
            both(f"{file} cannot be written: {error.strerror}.", f"无法写入 {file}：{error.strerror}。")
        ) from None
    shell.say(both(f"{count} people are in {file}", f"{file} 中有 {count} 人"), "green")
    shell.give({"exported": count, "file": str(file)})
