"""``python -m local.simulator``: one simulator until SIGTERM or Ctrl-C."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence

from local.simulator.settings import Memory, Refused, Segments, Settings, checked_settings
from local.simulator.simulator import Simulator


def _parser() -> argparse.ArgumentParser:
    given = Settings()
    parser = argparse.ArgumentParser(
        prog="python -m local.simulator",
        description="The platform's side of 快信通3, on 127.0.0.1. How to steer it: local/simulator/control.py",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--port", type=int, default=8180, help="0: any free one")
    add("--control-port", type=int, default=0, help="control alone, for outages of the other; 0: any free one")
    add("--cid", default=given.cid, help="organisation")
    add("--uid", default=given.uid, help="user")
    add("--pwd", default=given.pwd, help="password in clear")
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
        type=_mobile_and_code,
        dest="failing",
        help="a mobile whose reports fail with this resultCode, such as 18930612517=2:46; repeatable",
    )
    add("--refuse", metavar="MOBILE", action="append", default=[], dest="refused", help="answered 310; repeatable")
    add("--rate", type=int, default=None, help="requests a second, beyond it 210; without it no limit")
    add(
        "--timestamps",
        choices=[*Memory],
        default=given.timestamps,
        type=Memory,
        help="remembered: those of every request, or of accepted ones only",
    )
    add("--clock-window", type=float, default=None, help="seconds a timestamp may be off; without it any")
    add(
        "--segment-reports",
        choices=[*Segments],
        default=given.segment_reports,
        type=Segments,
        help="reports of long messages: one per mobile, one per segment, or mixed outcomes",
    )
    return parser


def _mobile_and_code(text: str) -> tuple[str, str]:
    mobile, equals, code = text.partition("=")
    if not (mobile and equals and code):
        raise argparse.ArgumentTypeError(f"{text!r} is not MOBILE=CODE")
    return mobile, code


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
        rate=options.rate,
        timestamps=options.timestamps,
        clock_window=options.clock_window,
        segment_reports=options.segment_reports,
    )


async def _serve(settings: Settings, port: int, control_port: int) -> None:
    told_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
    simulator = Simulator(settings)
    try:
        await simulator.start(port, control_port)
        print(f"listening on {simulator.url}", flush=True)
        await told_to_stop.wait()
    finally:
        await simulator.stop()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until told to stop; return the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        settings = _settings(options)
    except Refused as refused:
        parser.error(str(refused))
    try:
        asyncio.run(_serve(settings, options.port, options.control_port))
    except OSError as error:
        print(f"cannot listen: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
