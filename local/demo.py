"""``make demo``: the whole path on this machine, from a send on the queue to its delivery status and an MO.

It cleans up whether everything happened or not, also on Ctrl-C.
"""

import json
import os
from urllib.parse import urlsplit

from kuaixintong.status import DeliveryStatus, delivery_status, lookup
from local.narrator import SPEC_SEND, Narrator
from local.processes import Failed, wait_until
from local.simulator.running import RunningSimulator, running_simulator
from local.simulator.settings import Settings
from local.stack import EmulatedStack

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
        with EmulatedStack("demo", platform_url=platform.url, say=tell.step) as stack:
            _connect(tell, stack, platform)
            _send(tell, stack, platform)
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


def _send(tell: Narrator, stack: EmulatedStack, platform: RunningSimulator) -> None:
    platform.faults([{"do": "hold"}])  # the reports wait until the first status has been shown
    body = {"id": SEND_ID, **SPEC_SEND}
    stack.aws.sqs.send_message(
        QueueUrl=stack.outputs["SendQueueUrl"], MessageBody=json.dumps(body, ensure_ascii=False)
    )
    tell.step("Enqueued the spec's own send:")
    tell.detail(json.dumps(body, ensure_ascii=False))
    status = wait_until(_accepted, "The platform accepts the send", seconds=_SECONDS)
    tell.step("The platform has accepted it; this is what it was sent:")
    tell.detail(_on_the_wire(platform))
    tell.step("Delivery status, before any report:")
    tell.detail(_shown(status))


def _await_reports(tell: Narrator, platform: RunningSimulator) -> None:
    wait_until(lambda: platform.state()["pushes"]["held_pushes"], "The platform has reports", seconds=_SECONDS)
    platform.faults([])
    platform.release()
    status = wait_until(_reported, "The reports arrive", seconds=_SECONDS)
    tell.step("The platform has pushed its reports. Delivery status now:")
    tell.detail(_shown(status))
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


def _accepted() -> DeliveryStatus | None:
    status = delivery_status(SEND_ID)
    return status if any(part.token for part in status.parts) else None


def _reported() -> DeliveryStatus | None:
    status = delivery_status(SEND_ID)
    return status if "pending" not in status.mobiles.values() else None


def _shown(status: DeliveryStatus) -> str:
    lines = []
    for part in status.parts:
        lines.append(f"part {part.part}: {part.state}, token {part.token}, fee {part.fee}")
        codes = {report["mobile"]: f" ({report['result_code']})" for report in part.reports}
        lines += [f"  {mobile}  {delivery}{codes.get(mobile, '')}" for mobile, delivery in part.mobiles.items()]
    return "\n".join(lines)


def _on_the_wire(platform: RunningSimulator) -> str:
    """Return the request as the platform saw it; of the digest, which is as good as the password, only a hint."""
    [request] = [each for each in platform.requests() if each.fields.get("op") == "sendSm"]
    message = json.loads(request.fields["message"])
    message["pwd"] = f"{message['pwd'][:4]}…"
    path = urlsplit(platform.url).path
    return f"POST {path}\nop=sendSm\nmessage={json.dumps(message, ensure_ascii=False)}"
