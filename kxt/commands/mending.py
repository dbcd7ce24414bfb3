"""What a person has to do: look, put back, release."""

from typing import Annotated

import typer

from kuaixintong.core.rows import unsharded
from kuaixintong.quarantine import release_from
from kuaixintong.redrive import redrive_from
from kxt.app import app, group
from kxt.pictures import moment
from kxt.shell import FAILED, Misused, Shell, Told, command, helped
from kxt.words import both


@command(
    app,
    "attention",
    helped(
        "List what a person should look at.\n\nEach kind comes with a sentence on why, and what to do.",
        "列出需要人处理的事项。\n\n每一类都说明原因和办法。",
        "kxt attention",
        "kxt attention --json | jq '.[].send_id'",
    ),
)
def attention(shell: Shell) -> None:
    """List what needs a person."""
    rows = [*shell.stack.lookup.attention()]
    shell.table(
        ("id", "part", "why", "since", "timestamp", "words"),
        [
            (
                *(row["send_id"], row["part"], unsharded(row["attention"]), moment(row.get("updated_at"))),
                *(row.get("timestamp"), row.get("words")),
            )
            for row in rows
        ],
        empty=both("Nothing needs a person.", "没有需要处理的事项。"),
    )
    for why, advice in {unsharded(row["attention"]): row.get("advice", "") for row in rows}.items():
        shell.say(f"\n{why}: {advice}")
    shell.give(rows)


@command(
    app,
    "redrive",
    helped(
        "Put back what was given up, once the cause is mended.\n\n"
        "Each message goes into its own lane. It waits until the dead-letter queue is really empty. It can be cut "
        "off and run again: a send that comes back twice is one send.",
        "原因排除后，把放弃的消息放回各自的通道。\n\n"
        "会一直等到死信队列真正清空。\n可以随时中断再运行：重复放回的仍是一条发送。",
        "kxt redrive",
    ),
)
def redrive(shell: Shell) -> None:
    """Put back what was given up."""
    letters = shell.stack.dead_letters
    try:
        if shell.err.is_terminal:
            with shell.err.status(both("Looking", "正在查看")) as shown:
                told = redrive_from(letters, progress=lambda count: shown.update(_back(count)))
        else:
            told = redrive_from(letters)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            both(
                "Stopped. What has gone back stays back; run it again for the rest.",
                "已停止。已放回的不受影响；剩下的请再运行一次。",
            )
        ) from None
    shell.table(("lane", "back"), [("urgent", told.urgent), ("ordinary", told.ordinary)])
    shell.give(told)
    if told.left:
        raise Told(
            both(
                f"{told.left} message(s) are in other hands and come back within minutes: run it again then.",
                f"还有 {told.left} 条消息正被占用，几分钟后会回来：届时请再运行一次。",
            )
        )


def _back(count: int) -> str:
    return both(f"{count} put back", f"已放回 {count} 条")


quarantine = group("quarantine", "What was pushed and could not be read.", "推送来而无法解读的内容。")


@command(
    quarantine,
    "list",
    helped("List what is held, with the reason.", "列出隔离的内容和原因。", "kxt quarantine list"),
)
def list_(shell: Shell) -> None:
    """List what is held."""
    rows = sorted(shell.stack.quarantine.quarantine.heads(), key=lambda row: str(row.get("last_seen")))
    shell.table(
        ("digest", "type", "kept", "seen", "last seen", "reason"),
        [
            (row["digest"], row["type"], row["kept"], row["seen"], moment(row.get("last_seen")), row["reason"])
            for row in rows
        ],
        empty=both("Nothing is in quarantine.", "隔离区是空的。"),
    )
    shell.give(rows)


@command(
    quarantine,
    "release",
    helped(
        "Read what is held again, after a fix: what has become readable goes where it belongs.\n\n"
        "What is unreadable as ever stays. It can be cut off and repeated.",
        "修复之后重新解读：能解读的放到该去的地方。\n\n仍无法解读的留在原处。可以中断、重复。",
        "kxt quarantine release 4fd1…",
        "kxt quarantine release --all",
    ),
)
def release(
    shell: Shell,
    digests: Annotated[
        list[str] | None, typer.Argument(metavar="DIGEST", help=both("Which records.", "哪些记录。"))
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help=both("All of them.", "全部。"))] = False,
) -> None:
    """Read what is held again."""
    if bool(digests) == everything:
        raise Misused(both("Name digests, or say --all.", "请指明 DIGEST，或用 --all。"))
    intake = shell.stack.quarantine
    wanted = [row["digest"] for row in intake.quarantine.heads()] if everything else [*(digests or ())]
    rows, still = [], 0
    for digest in wanted:
        try:
            told = release_from(intake, digest)
        except KeyError:
            raise Told(both(f"No record is held as {digest}.", f"隔离区没有 {digest}。")) from None
        still += len(told.unreadable)
        rows.append((digest, told.reports, told.mos, len(told.unreadable)))
    columns = ("digest", "reports", "MOs", "held")
    shell.table(columns, rows, empty=both("Nothing is in quarantine.", "隔离区是空的。"))
    shell.give([dict(zip(columns, row, strict=True)) for row in rows])
    if still:
        raise typer.Exit(FAILED)
