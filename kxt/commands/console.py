"""``kxt console``: the web page, on this machine alone."""

from importlib.util import find_spec
from typing import Annotated

import typer

from kxt.app import app
from kxt.shell import Shell, Told, command, helped
from kxt.words import both


@command(
    app,
    "console",
    helped(
        "Serve the web page on this machine, until Ctrl-C.\n\n"
        "It prints a link that opens one browser. It works with your AWS credentials.",
        "在本机提供网页，直到 Ctrl-C。\n\n会输出一个链接，供一个浏览器打开。\n使用你的 AWS 凭证。",
        "kxt console",
        "kxt console --read-only --port 8800",
    ),
)
def console(
    shell: Shell,
    port: Annotated[int, typer.Option(metavar="PORT", help=both("0: any free one.", "0：任意空闲端口。"))] = 0,
    read_only: Annotated[
        bool, typer.Option("--read-only", help=both("Change nothing.", "只看，不改动。"))
    ] = False,
) -> None:
    """Serve the web page."""
    stack = shell.stack
    if find_spec("nicegui") is None:
        raise Told(
            both(
                "The page needs the extra console: in a checkout of the project, pip install '.[cli,console]'.",
                "网页需要 console 附加包：在项目的检出目录里执行 pip install '.[cli,console]'。",
            )
        )
    from kxt.console import run  # noqa: PLC0415

    control = stack.nearby.control if stack.nearby else None
    status = run(stack, name=stack.name, port=port, read_only=read_only, local=control)
    if status:
        raise typer.Exit(status)
