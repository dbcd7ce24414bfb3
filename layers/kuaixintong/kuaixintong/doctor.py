"""What is wrong with a deployment: one look at everything that has to hang together, each with its next step.

::

    from kuaixintong.doctor import examine
    from kuaixintong.stack import Stack

    for finding in examine(Stack.of("kuaixintong-prod")):
        print(finding.verdict, finding.check, finding.words, finding.step)

The platform is asked by the stack's own account check, from the stack's own address and with its own secret: what
this machine could reach says nothing. Where the credentials do not permit a look, the finding says that.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from kuaixintong.core import beijing
from kuaixintong.core.codes import SUCCESS, look_up
from kuaixintong.core.errors import KuaixintongError
from kuaixintong.core.ledger import State
from kuaixintong.stores import stack as stacks
from kuaixintong.stores.access import explained, refusals

if TYPE_CHECKING:
    from kuaixintong.stack import Stack

_PATIENCE = timedelta(minutes=15)
"""After which an accepted send should have a report."""

_LOOKED_AT = 20
_FEW = 100


class Verdict(StrEnum):
    """What a check has come to."""

    GOOD = "good"
    WRONG = "wrong"
    UNKNOWN = "unknown"  # it could not be looked at, or there is nothing to judge by yet


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was seen, and what to do next where something is."""

    check: str
    verdict: Verdict
    words: str
    step: str = ""


def examine(stack: "Stack", *, now: datetime | None = None) -> Iterator[Finding]:
    """Yield what each check finds, as it is found."""
    moment = now or datetime.now(UTC)
    checks: dict[str, Callable[[], Finding]] = {
        "stack": lambda: _stack(stack),
        "login": lambda: _login(stack),
        "pause": lambda: _pause(stack, moment),
        "balance": lambda: _balance(stack),
        "pushes": lambda: _pushes(stack, moment),
        "alarm topic": lambda: _topic(stack),
        "alarms": lambda: _alarms(stack),
        "workers": lambda: _workers(stack),
        "given up": lambda: _given_up(stack),
        "attention": lambda: _attention(stack),
        "quarantine": lambda: _quarantine(stack),
    }
    for name, check in checks.items():
        try:
            yield check()
        except KuaixintongError as error:
            yield Finding(name, Verdict.UNKNOWN, str(explained(error)))


def _stack(stack: "Stack") -> Finding:
    status = stack.description.status
    if status.endswith("_COMPLETE") and "ROLLBACK" not in status and "DELETE" not in status:
        return Finding("stack", Verdict.GOOD, status)
    if status == "UPDATE_ROLLBACK_COMPLETE":
        return Finding(
            "stack", Verdict.WRONG, f"{status}: the last change failed, what was before it works.", "make deploy"
        )
    return Finding("stack", Verdict.WRONG, status, "Look at the stack's events in CloudFormation for what failed.")


# --- the platform -----------------------------------------------------------------------------------------------


def _login(stack: "Stack") -> Finding:
    with refusals("lambda"):
        name = stacks.resource(stack.person.cloudformation(), stack.name, "BalanceFunction")
        answer = stack.person.functions().invoke(FunctionName=name, Payload=b'{"only": "login"}')
        told = json.loads(answer["Payload"].read() or b"null")
    if "FunctionError" in answer:
        return _failed(stack, told or {})
    return judged_login(
        told or {}, secret=stack.output("PlatformSecretArn"), address=_address(stack), url=_url(stack)
    )


def _failed(stack: "Stack", told: dict[str, Any]) -> Finding:
    words = str(told.get("errorMessage", "the account check failed"))
    if told.get("errorType") == "CredentialsUnusable":
        return Finding("login", Verdict.WRONG, words, _fill_in(stack.output("PlatformSecretArn")))
    return Finding("login", Verdict.WRONG, words, "Look at the log of the function BalanceFunction.")


def _fill_in(secret: str) -> str:
    return (
        'Put {"cid": …, "uid": …, "pwd": …} as the platform gave them into the secret: aws secretsmanager '
        f"put-secret-value --secret-id {secret} --secret-string file://platform.json"
    )


def _address(stack: "Stack") -> str:
    return stack.description.outputs.get("SourceAddress", "")


def _url(stack: "Stack") -> str:
    return stack.parameter("PlatformUrl")


def judged_login(told: dict[str, Any], *, secret: str, address: str, url: str) -> Finding:
    """Judge what the account check was told: ``code`` and ``words``, or ``no_answer``."""
    if reason := told.get("no_answer"):
        words = f"{url} does not answer: {reason}. {told.get('words') or ''}".rstrip()
        return Finding(
            "login", Verdict.WRONG, words, "Check the parameter PlatformUrl, and whether the network leads there."
        )
    code = told.get("code")
    if code is None:
        return Finding(
            "login", Verdict.UNKNOWN, "The account check of this stack does not tell what it found.", "make deploy"
        )
    words = f"{code} {told.get('words') or look_up(code).meaning}"
    match code:
        case int() if code == SUCCESS:
            return Finding("login", Verdict.GOOD, "The platform lets us in.")
        case 200 | 240:
            return Finding("login", Verdict.WRONG, f"{words}: cid, uid or password is wrong.", _fill_in(secret))
        case 220:
            known = f"Give the platform's staff the address that requests come from: {address}."
            unknown = (
                "Requests come from no address of the stack's own: deploy with Network=Create, which gives one."
            )
            return Finding(
                "login", Verdict.WRONG, f"{words}: the source address is refused.", known if address else unknown
            )
        case _:
            return Finding("login", Verdict.WRONG, words, "Ask the platform's staff.")


def _pause(stack: "Stack", now: datetime) -> Finding:
    state = stack.account.state()
    if state is None:
        return Finding("pause", Verdict.UNKNOWN, "The platform has never been asked.")
    if state.paused(now):
        until = state.pause_until and beijing.iso(state.pause_until)
        return Finding(
            "pause",
            Verdict.WRONG,
            f"The account is paused until {until}: {state.pause_reason}.",
            "Mend that; a good login ends it.",
        )
    return Finding("pause", Verdict.GOOD, "The account is not paused.")


def _balance(stack: "Stack") -> Finding:
    state = stack.account.state()
    if state is None or state.sm_balance is None:
        return Finding("balance", Verdict.UNKNOWN, "No login has told the balance yet.")
    if state.sm_balance <= 0:
        return Finding(
            "balance", Verdict.WRONG, f"The balance is {state.sm_balance}.", "Have the account topped up."
        )
    return Finding("balance", Verdict.GOOD, f"{state.sm_balance} messages")


# --- pushes -----------------------------------------------------------------------------------------------------


def _pushes(stack: "Stack", now: datetime) -> Finding:
    waiting = silent = 0
    for send_id in _accepted(stack, now):
        status = stack.lookup.delivery_status(send_id)
        waiting += 1
        silent += not any(part.reports for part in status.parts)
    tell = (
        f"Give the platform's staff the address {stack.push_url} and the account in the secret "
        f"{stack.description.outputs.get('PushSecretArn', '')}."
    )
    if waiting and silent == waiting:
        many = f"None of {waiting} accepted sends of the last two days has a report."
        return Finding("pushes", Verdict.WRONG, f"{many} Nobody seems to push.", tell)
    if waiting:
        return Finding("pushes", Verdict.GOOD, f"{waiting - silent} of {waiting} accepted sends have reports.")
    if not _ever_pushed(stack):
        return Finding(
            "pushes", Verdict.UNKNOWN, "No push has ever come, and nothing is accepted to be reported yet.", tell
        )
    return Finding("pushes", Verdict.UNKNOWN, "Pushes have come; no send is old enough to miss its reports.")


def _accepted(stack: "Stack", now: datetime) -> Iterator[str]:
    """Yield sends of today and yesterday that were accepted long enough ago, a few."""
    found = 0
    for day in (now, now - timedelta(days=1)):
        for line in stack.lookup.of_day(beijing.day(day), size=200).items:
            old = line.updated_at is not None and beijing.from_iso(line.updated_at) < now - _PATIENCE
            if line.state == State.ACCEPTED and old and line.mobiles <= _FEW and not line.at_time:
                yield line.send_id
                found += 1
                if found == _LOOKED_AT:
                    return


def _ever_pushed(stack: "Stack") -> bool:
    with refusals("dynamodb"):
        return any(
            stack.dynamodb.scan(TableName=stack.output(name), Limit=1)["Items"]
            for name in ("ReportsTableName", "InboundTableName")
        )


# --- who is told, and who works ---------------------------------------------------------------------------------


def _topic(stack: "Stack") -> Finding:
    topic = stack.output("AlarmTopicArn")
    with refusals("sns"):
        found = stack.person.sns().list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    heard = [each for each in found if each["SubscriptionArn"].startswith("arn:")]
    subscribe = f"aws sns subscribe --topic-arn {topic} --protocol email --notification-endpoint you@example.com"
    if heard:
        return Finding("alarm topic", Verdict.GOOD, f"{len(heard)} subscriber(s) hear alarms.")
    if found:
        return Finding(
            "alarm topic",
            Verdict.WRONG,
            "No subscription to the alarms is confirmed.",
            "Follow the link in the confirmation mail.",
        )
    return Finding("alarm topic", Verdict.WRONG, "Nobody hears the alarms.", subscribe)


def _alarms(stack: "Stack") -> Finding:
    with refusals("cloudwatch"):
        found = stack.person.cloudwatch().describe_alarms(AlarmNamePrefix=f"{stack.name}-", StateValue="ALARM")
    on = sorted(each["AlarmName"] for each in found["MetricAlarms"])
    if not on:
        return Finding("alarms", Verdict.GOOD, "No alarm is on.")
    return Finding("alarms", Verdict.WRONG, f"On: {', '.join(on)}.", "docs/operations.md says what each wants.")


def _workers(stack: "Stack") -> Finding:
    client = stack.person.functions()
    idle = []
    for lane in ("SendQueue", "UrgentQueue"):
        with refusals("lambda"):
            found = client.list_event_source_mappings(EventSourceArn=stack.output(f"{lane}Arn"))
        if not any(each["State"] in ("Enabled", "Enabling", "Updating") for each in found["EventSourceMappings"]):
            idle.append(lane)
    if not idle:
        return Finding("workers", Verdict.GOOD, "Both lanes are worked on.")
    return Finding(
        "workers",
        Verdict.WRONG,
        f"Nobody works on {' and '.join(idle)}: what is enqueued there waits.",
        "Enable the function's event source: aws lambda list-event-source-mappings, then "
        "update-event-source-mapping --enabled --uuid …; or deploy again.",
    )


# --- what a person has to do ------------------------------------------------------------------------------------


def _given_up(stack: "Stack") -> Finding:
    depth = stack.account.queues()[None]
    if depth.waiting + depth.in_hand == 0:
        return Finding("given up", Verdict.GOOD, "Nothing was given up.")
    many = f"{depth.waiting + depth.in_hand} message(s) lie in the dead-letter queue."
    return Finding("given up", Verdict.WRONG, many, "Mend the cause, then: kxt redrive")


def _attention(stack: "Stack") -> Finding:
    found = next(stack.lookup.attention(), None)
    if found is None:
        return Finding("attention", Verdict.GOOD, "Nothing needs a person.")
    return Finding("attention", Verdict.WRONG, "Parts need a person.", "kxt attention")


def _quarantine(stack: "Stack") -> Finding:
    found = next(stack.quarantine.quarantine.heads(), None)
    if found is None:
        return Finding("quarantine", Verdict.GOOD, "All that was pushed could be read.")
    return Finding(
        "quarantine", Verdict.WRONG, f"Pushes could not be read: {found['reason']}", "kxt quarantine list"
    )
