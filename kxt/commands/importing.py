"""``kxt import``: a file of people."""

from contextlib import nullcontext, suppress
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text as RichText

from kuaixintong.core.enqueueing import Enqueued, NotEnqueued
from kuaixintong.importing import Import, write_faults
from kxt.app import app
from kxt.asked import Terms
from kxt.shell import Misused, Shell, Told, Yes, command, helped
from kxt.words import both

_MOST_FAULTS = 30


@command(
    app,
    "import",
    helped(
        "Enqueue a file of people, a row a person.\n\n"
        "CSV or a workbook; the first line names the columns. {name} in the text is that column's cell; {{ and }} "
        "are braces. All rows are checked before anything is enqueued. It can be cut off anywhere and run again: "
        "the same line goes on where it was, and nobody gets a text twice.",
        "按文件提交发送，每行一个人。\n\n"
        "支持 CSV 和工作簿；第一行是列名。内容中的 {name} 换成该列的单元格；\n"
        "大括号本身写作 {{ 和 }}。先检查所有行，然后才提交。\n"
        "可随时中断，用同一命令继续，不会重复发送。",
        "kxt import people.xlsx --text '{姓名}，您好' --campaign spring --dry-run",
        "kxt import people.csv --text '明天停水' --campaign water-1126 --yes",
    ),
)
def import_(
    shell: Shell,
    file: Annotated[Path, typer.Argument(metavar="FILE", help=both("CSV or XLSX.", "CSV 或 XLSX。"))],
    text: Annotated[
        str,
        typer.Option("--text", "-t", metavar="TEXT", help=both("May name {columns}.", "可含 {列名}。")),
    ],
    campaign: Annotated[
        str, typer.Option("--campaign", "-c", metavar="C", help=both("The campaign's name.", "活动的名字。"))
    ],
    mobile: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help=both("The column of mobiles, if not found.", "手机号所在的列。")),
    ] = None,
    sheet: Annotated[
        str | None, typer.Option(metavar="SHEET", help=both("The workbook's sheet.", "工作表的名字。"))
    ] = None,
    *,
    terms: Terms,
    leave_out_faulty: Annotated[
        bool,
        typer.Option("--leave-out-faulty", help=both("Send to all rows without a fault.", "只发送没有错误的行。")),
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=both("Write all faults to a CSV file.", "把所有错误写入 CSV 文件。")),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help=both("Check and preview only.", "只检查和预览。"))
    ] = False,
    yes: Yes = False,
) -> None:
    """Check a file, preview it, and enqueue it."""
    people = Import.read(
        file,
        text=text,
        campaign=campaign,
        mobile=mobile,
        sheet=sheet,
        leave_out=leave_out_faulty,
        **terms.fields(),
    )
    if report:
        write_faults(report, [*people.plan.faults, *people.plan.notes])
    _tell_faults(shell, people, report)
    if people.plan.faults and (not leave_out_faulty or not people.plan.sends):
        shell.give({"enqueued": 0, "faults": people.plan.faults, "notes": people.plan.notes})
        raise Told(both("Nothing was enqueued.", "没有提交任何内容。"))
    told = _preview(shell, people, offline=dry_run)
    if terms.category == "marketing":
        with suppress(Misused) if dry_run else nullcontext():  # a preview without a stack does without
            _tell_opted_out(shell, people, told, report)
    if dry_run:
        shell.give(told)
        return
    shell.sure(both(f"Enqueue {people.plan.sends} send(s)?", f"提交 {people.plan.sends} 条发送？"), yes=yes)
    enqueued = _enqueue(shell, people.claim(shell.stack.campaigns))
    shell.line(campaign)
    shell.give({**told, "enqueued": enqueued})


def _tell_faults(shell: Shell, people: Import, report: Path | None) -> None:
    faults = people.plan.faults
    for fault in faults[:_MOST_FAULTS]:
        shell.say(str(fault), "red")
    if (more := len(faults) - _MOST_FAULTS) > 0:
        told = str(report) if report else both("--report FILE has them all", "--report FILE 可保存全部")
        shell.say(both(f"and {more} more: {told}", f"以及另外 {more} 处：{told}"), "red")
    for note in people.plan.notes[:_MOST_FAULTS]:
        shell.say(str(note), "yellow")


def _tell_opted_out(shell: Shell, people: Import, told: dict[str, object], report: Path | None) -> None:
    notes = people.opted_out(shell.stack.optouts)
    for note in notes[:_MOST_FAULTS]:
        shell.say(str(note), "yellow")
    if len(notes) > _MOST_FAULTS:
        shell.say(both(f"{len(notes)} people have opted out", f"共 {len(notes)} 人已退订"), "yellow")
    if report:
        write_faults(report, sorted([*people.plan.faults, *people.plan.notes, *notes]))
    told["opted_out"] = len(notes)


def _preview(shell: Shell, people: Import, *, offline: bool) -> dict[str, object]:
    made = people.plan
    balance, pace = _account(shell, offline=offline)
    rows: list[tuple[str, object]] = [
        (both("people", "人数"), made.mobiles),
        (both("column of mobiles", "手机号列"), made.mobile_column),
        (both("first text", "第一条内容"), made.example()),
        (both("sends, requests", "发送数、请求数"), made.sends),
        (both("messages", "短信条数"), made.cost),
    ]
    if balance is not None:
        rows.append((both("balance", "余额"), balance))
    if pace:
        lasts = timedelta(seconds=round(made.sends / pace))
        rows.append((both("lasts at the pace", "按速率需时"), lasts))
    for name, value in rows:
        shell.say(f"{name}: {value}")
    if balance is not None and balance < made.cost:
        shell.say(
            both(
                f"The balance is below the cost by {made.cost - balance}: what is too dear waits.",
                f"余额比费用少 {made.cost - balance} 条：超出的部分会等待。",
            ),
            "yellow",
        )
    return {
        "campaign": people.campaign,
        "people": made.mobiles,
        "left_out": len({fault.line for fault in made.faults}),
        "sends": made.sends,
        "messages": made.cost,
        "balance": balance,
        "pace": pace,
        "digest": people.digest,
        "notes": made.notes,
    }


def _account(shell: Shell, *, offline: bool) -> tuple[int | None, float | None]:
    """Return the balance and the pace; a preview without a stack does without."""
    try:
        view = shell.stack.account
    except Misused:
        if offline:
            return None, None
        raise
    state = view.state()
    return state.sm_balance if state else None, view.pace(state)


def _enqueue(shell: Shell, people: Import) -> int:
    stack = shell.stack
    bookmark = people.bookmark(stack.output("SendQueueUrl"))
    began, of = bookmark.place, people.plan.sends
    if began:
        shell.say(both(f"Going on after {began} of {of}", f"从第 {began} 条（共 {of} 条）之后继续"))
    lost: list[NotEnqueued] = []
    done = began
    try:
        with _progress(shell) as progress:
            task = progress.add_task(both("Enqueueing", "提交中"), total=of, completed=began)
            for outcome in people.enqueue(stack.outbox, bookmark):
                if isinstance(outcome, Enqueued):
                    done += 1
                else:
                    lost.append(outcome)
                progress.update(task, completed=done)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            both(
                f"Stopped: {done} of {of} sends are enqueued. The same line goes on from there.",
                f"已停止：{of} 条中已提交 {done} 条。用同一命令继续。",
            )
        ) from None
    if lost:
        raise Told(
            both(
                f"{done} of {of} sends are enqueued, {len(lost)} are not ({lost[0].why}). The same line goes on.",
                f"{of} 条中已提交 {done} 条，{len(lost)} 条未提交（{lost[0].why}）。用同一命令继续。",
            )
        )
    shell.say(both(f"{of} sends are enqueued", f"已提交 {of} 条发送"), "green")
    return of


class _Rate(ProgressColumn):
    """Sends a second."""

    def render(self, task: Task) -> RichText:
        speed = task.finished_speed or task.speed
        return RichText(f"{speed:,.0f}/s" if speed else "")


def _progress(shell: Shell) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        console=shell.err,
        disable=not shell.err.is_terminal,
        transient=True,
    )
