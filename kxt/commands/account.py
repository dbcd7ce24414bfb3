"""``kxt account``: the account on the platform, and what waits."""

from datetime import UTC, datetime

from kxt.app import app
from kxt.pictures import moment
from kxt.shell import Shell, command, helped
from kxt.words import both


@command(
    app,
    "account",
    helped(
        "Show the account on the platform, and what waits.\n\nBalance, pause, pace, and the queues.",
        "显示平台账号和排队情况。\n\n余额、暂停、速率，以及各队列。",
        "kxt account",
        "kxt account --json | jq .account.sm_balance",
    ),
)
def account(shell: Shell) -> None:
    """Show the account and the queues."""
    view = shell.stack.account
    state, queues = view.state(), view.queues(ages=True)
    pace = view.pace(state)
    if state:
        now = datetime.now(UTC)
        paused = (
            f"{state.pause_reason}, {moment(state.pause_until, now)}" if state.paused(now) else both("no", "否")
        )
        rows = [
            (both("balance, messages", "余额（条）"), state.sm_balance),
            (both("checked", "查询于"), moment(state.checked_at, now) or both("never", "从未")),
            (both("paused", "暂停"), paused),
            (
                both("requests a second", "每秒请求数"),
                both("no limit known", "没有已知限制") if pace is None else f"{pace:g}",
            ),
        ]
        if state.dear and now < state.dear.until:
            rows.append((both("balance is below", "余额低于"), state.dear.cost))
        shell.table((both("account", "账号"), state.cid), rows)
        shell.line()
    else:
        shell.say(both("The platform has not been asked yet.", "尚未访问过平台。"))
    shell.table(
        (
            both("queue", "队列"),
            both("waiting", "等待"),
            both("in hand", "处理中"),
            both("oldest, seconds", "最早一条（秒）"),
        ),
        [
            (lane or both("given up", "已放弃"), queue.waiting, queue.in_hand, queue.oldest)
            for lane, queue in queues.items()
        ],
    )
    shell.give(
        {"account": state, "pace": pace, "queues": {lane or "given up": each for lane, each in queues.items()}}
    )
