"""What the end of a run must look like: the campaign's judge, who knows promises and no faults."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from local.simulator.settings import Memory
from tests.chaos.run import Run
from tests.sending import held_by


def judge(run: Run) -> list[str]:
    """Return what is wrong with the end of a run: nothing, if every promise was kept."""
    acceptances = Counter(mobile for message in run.platform.messages for mobile in message.mobiles)
    rows = [row for row in run.rows if row["state"] != "SPLIT"]
    wrong = [
        f"{mobile} accepted more than once: {count} times" for mobile, count in acceptances.items() if count > 1
    ]
    wrong += _unaccounted(run, rows)
    wrong += _untold(run)
    for row in rows:
        wrong += [f"part {row['part']} {what}" for what in _untrue(run, row, acceptances)]
    return wrong


def judge_healed(run: Run) -> list[str]:
    """Let what is unconfirmed heal; return what is wrong then: a wrong token, or none where there is one."""
    if all(row["state"] != "UNCONFIRMED" for row in run.rows):
        return []
    run.heal()
    accepted = {mobile for message in run.platform.messages for mobile in message.mobiles}
    given = {str(message.token): [*message.mobiles] for message in run.platform.messages}
    wrong = [
        f"part {row['part']} was inferred to have token {row['token']}; the platform gave {given}"
        for row in run.rows
        if row.get("inferred") and given.get(row["token"]) != row["mobiles"]
    ]
    return wrong + [
        f"part {row['part']} says UNCONFIRMED, though its reports leave no other explanation"
        for row in run.rows
        if row["state"] == "UNCONFIRMED" and accepted >= {*row["mobiles"]}
    ]


def _unaccounted(run: Run, rows: list[dict[str, Any]]) -> Iterator[str]:
    held = Counter(mobile for row in rows for mobile in held_by(row))
    if held != Counter(run.mobiles):
        lost, doubled = set(run.mobiles) - set(held), held - Counter(run.mobiles)
        yield f"unaccounted for: {lost}; in more than one row: {doubled}"


def _untold(run: Run) -> Iterator[str]:
    """Who a part goes to, and its campaign, are there when the platform has been asked for it; and nobody else."""
    wanted = {(mobile, "1") for mobile in run.mobiles}
    if run.asked and wanted - run.outbound:
        yield f"asked for, and not in Outbound: {wanted - run.outbound}"
    if run.outbound - wanted:
        yield f"in Outbound, and nobody's: {run.outbound - wanted}"
    if (
        run.asked
        and run.schedule.campaign
        and not run.world.table("CampaignsTable").get({"campaign": run.send_id})
    ):
        yield "asked for, and its campaign is not there"


def _only_accepted_are_known(run: Run) -> bool:
    return run.schedule.memory is Memory.ACCEPTED and not run.platform_lied


def _untrue(run: Run, row: dict[str, Any], acceptances: Counter[str]) -> Iterator[str]:
    mobiles = held_by(row)
    match row["state"]:
        case "ACCEPTED":
            given = {str(message.token): set(message.mobiles) for message in run.platform.messages}
            if given.get(row.get("token", "")) != set(row["mobiles"]):
                yield f"says ACCEPTED with token {row.get('token')}; the platform gave {given}"
        case "REJECTED" | "CANCELLED" as state:
            if any(acceptances[mobile] for mobile in mobiles):
                yield f"says {state}, but was accepted"
        case "UNCONFIRMED":
            if not run.losses and not run.platform_lied:
                yield "says UNCONFIRMED, though no answer was lost: one was thrown away"
            if (
                _only_accepted_are_known(run)
                and row.get("code") == 230
                and not all(acceptances[each] for each in mobiles)
            ):
                yield "says that the platform knew the timestamp, but it knows what it accepted and no other"
            if "attention" not in row:
                yield "says UNCONFIRMED without asking for attention"
        case state:
            yield f"is unaccounted for: its row says {state}"
