"""``python -m local.simulator``: one simulator until SIGTERM or Ctrl-C."""

import argparse
import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from local.simulator.settings import Apart, Memory, RateKind, Refused, Segments, Settings, checked_settings
from local.simulator.simulator import Simulator


def _parser() -> argparse.ArgumentParser:
    given = Settings()
    parser = argparse.ArgumentParser(
        prog="python -m local.simulator",
        description="The platform's side of 快信通3, on 127.0.0.1.",
        epilog=_STEERING,
        formatter_class=_Help,
    )
    add = parser.add_argument
    add("--port", type=int, default=8180, help="0: any free one")
    add("--servers", type=int, default=1, help="of one platform, on this port and the next ones")
    add("--control-port", type=int, default=0, help="control alone, for outages of the other; 0: any free one")
    add("--console-port", type=int, default=None, help="the pages of handsets and faults, too; 0: any free one")
    add("--cid", default=given.cid, help="organisation")
    add("--uid", default=given.uid, help="user")
    add("--pwd", default=given.pwd, help="password in clear")
    add(
        "--other-user",
        metavar="UID=PWD",
        action="append",
        default=[],
        type=_pair("UID=PWD"),
        dest="other_users",
        help="one more user of the organisation; repeatable",
    )
    add("--balance", type=int, default=given.balance, help="short messages left")
    add("--first-token", type=int, default=given.first_token, help="token of the first accepted part")
    add("--push-url", default=None, help="where reports and MOs go; without it they wait")
    add("--push-uid", default=given.push_uid, help="push account")
    add("--push-pwd", default=given.push_pwd, help="push password")
    add("--push-delay", type=float, default=given.push_delay, help="seconds from acceptance to reports")
    add(
        "--fail",
        metavar="MOBILE=CODE",
        action="append",
        default=[],
        type=_pair("MOBILE=CODE"),
        dest="failing",
        help="a mobile whose reports fail with this resultCode, such as 18930612517=2:46; repeatable",
    )
    add("--refuse", metavar="MOBILE", action="append", default=[], dest="refused", help="answered 310; repeatable")
    add("--off", metavar="MOBILE", action="append", default=[], help="switched off, reports fail; repeatable")
    add(
        "--answer",
        metavar="MOBILE=TEXT",
        action="append",
        default=[],
        type=_pair("MOBILE=TEXT"),
        dest="answers",
        help="a handset that answers every text with this one; MOBILE may be *; repeatable",
    )
    add("--rate", type=float, default=None, help="requests a second, beyond it 210; without it no limit")
    add(
        "--rate-kind",
        choices=[*RateKind],
        default=given.rate_kind,
        type=RateKind,
        help="counted within any second, by a token bucket, or on each connection by itself",
    )
    add("--rate-burst", type=int, default=None, help="requests in a full bucket; without it those of a second")
    add(
        "--timestamps",
        choices=[*Memory],
        default=given.timestamps,
        type=Memory,
        help="remembered: those of every request, or of accepted ones only",
    )
    add(
        "--timestamps-by",
        choices=[*Apart],
        action="append",
        default=[],
        type=Apart,
        help="remembered apart for each user, for each server; repeatable",
    )
    add("--timestamps-for", type=float, default=None, help="seconds; without it for ever")
    add("--clock-ahead", type=float, default=given.clock_ahead, help="seconds; below zero it is behind")
    add("--single-segment", type=int, default=given.single_segment, help="UTF-16 units that cost as one")
    add("--long-segment", type=int, default=given.long_segment, help="units of each piece of a longer text")
    add("--signature", type=int, default=given.signature, help="units that the platform adds before it counts")
    add("--clock-window", type=float, default=None, help="seconds a timestamp may be off; without it any")
    add(
        "--segment-reports",
        choices=[*Segments],
        default=given.segment_reports,
        type=Segments,
        help="reports of long messages: one per mobile, one per segment, or mixed outcomes",
    )
    return parser


_STEERING = """\
While it runs, /_sim/... at the same port steers it: settings, faults, outages, MOs, handsets. All addresses are
listed in local/simulator/control.py. An application's test waits for a text so:

  curl 'http://127.0.0.1:8180/_sim/wait?mobile=13800000860&match=%5Cd%7B6%7D&timeout=10'
"""


class _Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """With defaults, and the epilog as it stands."""


def _pair(form: str) -> Callable[[str], tuple[str, str]]:
    def read(text: str) -> tuple[str, str]:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            # without the value, which may be a password
            raise argparse.ArgumentTypeError(f"it has the form {form}")
        return name, value

    return read


def _handsets(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    handsets: dict[str, dict[str, Any]] = {mobile: {"off": True} for mobile in options.off}
    for mobile, content in options.answers:
        handsets.setdefault(mobile, {})["answers"] = [{"content": content}]
    return handsets


def _settings(options: argparse.Namespace) -> Settings:
    return checked_settings(
        cid=options.cid,
        uid=options.uid,
        pwd=options.pwd,
        balance=options.balance,
        first_token=options.first_token,
        push_url=options.push_url,
        push_uid=options.push_uid,
        push_pwd=options.push_pwd,
        push_delay=options.push_delay,
        failing_mobiles=dict(options.failing),
        refused_mobiles=options.refused,
        other_users=dict(options.other_users),
        handsets=_handsets(options),
        rate=options.rate,
        rate_kind=options.rate_kind,
        rate_burst=options.rate_burst,
        timestamps=options.timestamps,
        timestamps_by=options.timestamps_by,
        timestamps_for=options.timestamps_for,
        clock_ahead=options.clock_ahead,
        single_segment=options.single_segment,
        long_segment=options.long_segment,
        signature=options.signature,
        clock_window=options.clock_window,
        segment_reports=options.segment_reports,
    )


async def _serve(settings: Settings, servers: int, port: int, control_port: int, console_port: int | None) -> None:
    told_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
    simulator = Simulator(settings, servers=servers)
    try:
        await simulator.start(port, control_port)
        for url in simulator.urls:
            print(f"listening on {url}", flush=True)
        async with _console(simulator.control_url, console_port):
            await told_to_stop.wait()
    finally:
        await simulator.stop()


@asynccontextmanager
async def _console(control_url: str, port: int | None) -> AsyncIterator[None]:
    """Let the console show handsets and faults while the block lasts; its own process prints its link."""
    if port is None:
        yield
        return
    command = (sys.executable, "-m", "kxt.console", "--simulator", control_url, "--port", str(port))
    console = await asyncio.create_subprocess_exec(*command, start_new_session=True)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):  # it has ended by itself, and has said why
            console.terminate()
        await console.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until told to stop; return the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        if options.servers < 1:
            parser.error("argument --servers: there is at least one")
        settings = _settings(options)
    except Refused as refused:
        parser.error(str(refused))
    try:
        asyncio.run(_serve(settings, options.servers, options.port, options.control_port, options.console_port))
    except OSError as error:
        print(f"cannot listen: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
