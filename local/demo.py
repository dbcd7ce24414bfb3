"""``make demo``: the whole path on this machine, from a send on the queue to its delivery status and an MO.

It cleans up whether everything happened or not, also on Ctrl-C.
"""

import io
import json
import os
from contextlib import redirect_stderr, redirect_stdout
from urllib.parse import urlsplit

from kuaixintong.status import DeliveryStatus, delivery_status, lookup
from kxt.commands import everything
from local import narrator
from local.narrator import SPEC_SEND, Narrator
from local.processes import Failed, wait_until
from local.simulator.running import RunningSimulator, running_simulator
from local.simulator.settings import Settings
from local.stack import EmulatedStack

NAME = "demo"
SEND_ID = "demo-1"
DELIVERED, FAILING = SPEC_SEND["mobiles"]
FAILURE = "2:46"
MO_MOBILE, MO_CONTENT = "13500000000", "你好吗"

_SECONDS = 30.0  # for each thing that has to happen; most take well under one


def main() -> None:
    """Run the demo. Raises :class:`Failed` if something that has to happen does not."""
    tell = Narrator()
    with running_simulator(failing_mobiles={FAILING: FAILURE}) as platform:
        tell.step(f"The platform, simulated, listens at {platform.url}")
        with EmulatedStack(NAME, platform_url=platform.url, say=tell.step) as stack:
            _connect(tell, stack, platform)
            _send(tell, platform)
            _await_reports(tell, platform)
            _await_mo(tell, platform)
            tell.step("Stopping everything")
    tell.step("Done: one delivered, one failed, one MO; nothing is left running")
    tell.step("`make up` starts such a stack and leaves it running, for you to try things on")


def _connect(tell: Narrator, stack: EmulatedStack, platform: RunningSimulator) -> None:
    """Do what an operator does after a deploy: give each side the other's account."""
    account = Settings()
    stack.fill_in_platform_secret(cid=account.cid, uid=account.uid, pwd=account.pwd)
    push = stack.push_credentials()
    platform.change(push_url=stack.push_url, push_uid=push["uid"], push_pwd=push["pwd"])
    os.environ.update(
        stack.environment,
        SENDS_TABLE=stack.outputs["SendsTableName"],
        REPORTS_TABLE=stack.outputs["ReportsTableName"],
        INBOUND_TABLE=stack.outputs["InboundTableName"],
    )
    tell.step("Deployed; the platform's account is in its secret, and the platform knows where to push:")
    tell.detail(stack.push_url)


def _send(tell: Narrator, platform: RunningSimulator) -> None:
    platform.faults([{"do": "hold"}])  # the reports wait until the first status has been shown
    tell.step("Enqueueing the spec's own send, and waiting until the platform has accepted it:")
    window = ("--daily-begin", SPEC_SEND["dailyBeginTime"], "--daily-end", SPEC_SEND["dailyEndTime"])
    text = ("--text", SPEC_SEND["content"], "--id", SEND_ID, "--wait", "--timeout", f"{_SECONDS:g}")
    _kxt(tell, "send", *SPEC_SEND["mobiles"], *text, *window)
    tell.step("This is what the platform was sent:")
    tell.detail(_on_the_wire(platform))


def _await_reports(tell: Narrator, platform: RunningSimulator) -> None:
    wait_until(lambda: platform.state()["pushes"]["held_pushes"], "The platform has reports", seconds=_SECONDS)
    platform.faults([])
    platform.release()
    status = wait_until(_reported, "The reports arrive", seconds=_SECONDS)
    tell.step("The platform has pushed its reports. Delivery status now:")
    _kxt(tell, "show", SEND_ID)
    seen = {mobile: str(delivery) for mobile, delivery in status.mobiles.items()}
    if seen != {DELIVERED: "delivered", FAILING: "failed"}:
        raise Failed(f"The delivery status should be one delivered and one failed, and is {seen}.")


def _await_mo(tell: Narrator, platform: RunningSimulator) -> None:
    platform.mo(MO_MOBILE, MO_CONTENT)
    tell.step(f"The handset {MO_MOBILE} has sent a message to the platform")
    [mo] = wait_until(lambda: list(lookup().mos_of_mobile(MO_MOBILE)), "The MO arrives", seconds=_SECONDS)
    if mo["content"] != MO_CONTENT:
        raise Failed(f"The MO should read {MO_CONTENT}, and reads {mo['content']}.")
    tell.step(f"The MO has arrived: {mo['content']} ({mo['smg_recv_date']})")


def _reported() -> DeliveryStatus | None:
    status = delivery_status(SEND_ID)
    return status if "pending" not in status.mobiles.values() else None


def _kxt(tell: Narrator, *words: str) -> None:
    """Show a line of the command line, do it, and show what it prints. Raises :class:`Failed`."""
    tell.detail(f"$ {narrator.kxt(*words)}")
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed):
        status = everything()([*words, "--stack", NAME], prog_name="kxt", standalone_mode=False)
    tell.detail(printed.getvalue().expandtabs(14))
    if status:
        raise Failed(f"kxt {words[0]} ended with status {status}.")


def _on_the_wire(platform: RunningSimulator) -> str:
    """Return the request as the platform saw it; of the digest, which is as good as the password, only a hint."""
    [request] = [each for each in platform.requests() if each.fields.get("op") == "sendSm"]
    message = json.loads(request.fields["message"])
    message["pwd"] = f"{message['pwd'][:4]}…"
    path = urlsplit(platform.url).path
    return f"POST {path}\nop=sendSm\nmessage={json.dumps(message, ensure_ascii=False)}"
