"""``make up``: the local stack of the demo, left running with a simulated platform beside it."""

import sys
from pathlib import Path

import requests

from local import console, narrator, records
from local.narrator import Narrator
from local.processes import Failed, free_port
from local.simulator.settings import Settings
from local.stack import EmulatedStack

NAME = "local"
_BALANCE = 1_000_000  # nobody's first send shall wait for want of it


def main() -> None:
    """Start the stack. Raises :class:`Failed` if one is up already."""
    with records.starting_alone():
        _only_one()
        tell = Narrator()
        port, control_port = free_port(), free_port()
        url = f"http://127.0.0.1:{port}/webservice/http/service"
        control = f"http://127.0.0.1:{control_port}/_sim"
        with EmulatedStack(NAME, platform_url=url, parameters={"Events": "true"}, say=tell.step) as stack:
            _start_platform(tell, stack, port, control_port, control)
            link = _start_console(tell, stack, control)
            _show(tell, link)
            stack.keep(STACK=NAME, CONTROL=control, PUSH=stack.push_url)


def _only_one() -> None:
    for folder, record in records.recorded().items():
        if record.up and record.ended:
            raise Failed(
                f"{folder.name} is up, but its {' and '.join(record.ended)} ended: `make down`, then `make up`."
            )
        if record.up:
            raise Failed(f"{folder.name} is up already: `make env` tells how to reach it, `make down` stops it.")


def _start_platform(tell: Narrator, stack: EmulatedStack, port: int, control_port: int, control: str) -> None:
    tell.step("Starting the simulated platform")
    process = stack.start_process(
        "simulator",
        *(Path(sys.executable), "-m", "local.simulator", "--balance", str(_BALANCE)),
        *("--port", str(port), "--control-port", str(control_port)),
    )
    stack.wait_for(process, f"{control}/state")
    account = Settings()
    stack.fill_in_platform_secret(cid=account.cid, uid=account.uid, pwd=account.pwd)
    push = stack.push_credentials()
    requests.post(
        f"{control}/settings",
        json={"push_url": stack.push_url, "push_uid": push["uid"], "push_pwd": push["pwd"]},
        timeout=10,
    ).raise_for_status()


def _start_console(tell: Narrator, stack: EmulatedStack, control: str) -> str:
    tell.step("Starting the console")
    port = free_port()
    process = stack.start_process(
        "console",
        *(Path(sys.executable), "-m", "kxt.console", "--stack", NAME, "--simulator", control),
        *("--port", str(port)),
        env={**stack.environment, "KUAIXINTONG_STACKS": str(records.stacks_folder())},
    )
    stack.wait_for(process, f"http://127.0.0.1:{port}/ready")
    return console.link_of(stack.folder)


def _show(tell: Narrator, link: str) -> None:
    tell.step("The local stack is up; `make down` stops it. To look at it, with handsets to play with:")
    tell.detail(link)
    tell.step("That link opens one browser, `make console` prints another. To use the stack in any shell:")
    tell.detail('eval "$(make -s env)"')
    tell.step("Then send something, let the handset answer, and see what became of both:")
    tell.detail(narrator.kxt("send", "13708600860", "--text", "周末参加不了培训了", "--id", "order-1", "--wait"))
    tell.detail("""curl "$CONTROL/mo" -d '{"mobile": "13708600860", "content": "收到"}'""")
    tell.detail(narrator.kxt("who", "13708600860"))
    tell.step("README.md goes on from here")
