"""``make up``: the local stack of the demo, left running with a simulated platform beside it."""

import sys
from pathlib import Path

import requests

from local import narrator
from local.narrator import SPEC_SEND, Narrator
from local.processes import Failed, free_port, stopping_cleanly
from local.simulator.settings import Settings
from local.stack import EmulatedStack, kept_stacks


def main() -> int:
    """Start the stack; return the exit status."""
    tell = Narrator()
    port, control = free_port(), free_port()
    url = f"http://127.0.0.1:{port}/webservice/http/service"
    if running := kept_stacks():
        print(f"{running[0]} is up already; `make down` stops it.", file=sys.stderr)
        return 1
    try:
        with stopping_cleanly(), EmulatedStack("local", platform_url=url, say=tell.step) as stack:
            _start_platform(tell, stack, port, control)
            stack.keep()
    except Failed as failed:
        print(f"\nThe local stack did not start. {failed.explained}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Nothing is left running.", file=sys.stderr)
        return 130
    _show(tell, stack, f"http://127.0.0.1:{control}/_sim")
    return 0


def _start_platform(tell: Narrator, stack: EmulatedStack, port: int, control: int) -> None:
    tell.step("Starting the simulated platform")
    process = stack.start_process(
        "simulator",
        *(Path(sys.executable), "-m", "local.simulator"),
        *("--port", str(port), "--control-port", str(control)),
    )
    stack.wait_for(process, f"http://127.0.0.1:{control}/_sim/state")
    account = Settings()
    stack.fill_in_platform_secret(cid=account.cid, uid=account.uid, pwd=account.pwd)
    push = stack.push_credentials()
    requests.post(
        f"http://127.0.0.1:{control}/_sim/settings",
        json={"push_url": stack.push_url, "push_uid": push["uid"], "push_pwd": push["pwd"]},
        timeout=10,
    ).raise_for_status()


def _show(tell: Narrator, stack: EmulatedStack, control: str) -> None:
    tell.step("The local stack is up; `make down` stops it. For the AWS CLI and boto3:")
    tell.detail(narrator.exports(stack.environment))
    tell.step("Its outputs:")
    tell.detail("\n".join(f"{name}={value}" for name, value in sorted(stack.outputs.items())))
    tell.detail(f"PushUrl, as reached on this machine: {stack.push_url}")
    tell.step("Try:")
    tell.detail(narrator.enqueue_command(stack.outputs, {"id": "order-1", **SPEC_SEND}))
    tell.detail(narrator.parts_command(stack.outputs, "order-1"))
    tell.detail(f"curl {control}/messages")
    tell.detail(f"""curl {control}/mo -d '{{"mobile": "13500000000", "content": "你好吗"}}'""")
    tell.detail(narrator.mos_command(stack.outputs, "13500000000"))


if __name__ == "__main__":
    sys.exit(main())
