"""What every command has in common: which stack, where output goes, and how an error is told.

Data goes to stdout, everything else to stderr. On a terminal data is a table, in a pipe the same columns with tabs
between, and with ``--json`` JSON.
"""

import inspect
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, is_dataclass
from functools import cached_property
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from kuaixintong.core.errors import KuaixintongError, SendRefused
from kuaixintong.stack import Stack
from kuaixintong.stores.access import explained
from kxt.words import both

DONE, FAILED, WRONG_USE, CUT_OFF = 0, 1, 2, 130


class Told(Exception):
    """It did not work out: a sentence that says why and what the next step is."""


class Misused(Told):
    """Wrong use: the command was not asked as it can be."""


StackName = Annotated[
    str | None,
    typer.Option(
        "--stack",
        metavar="NAME",
        envvar="KXT_STACK",
        help=both("The stack; left out, the local one that is up.", "堆栈名；省略则用本机的。"),
    ),
]
Region = Annotated[str | None, typer.Option(metavar="REGION", help=both("AWS region.", "AWS 区域。"))]
Profile = Annotated[str | None, typer.Option(metavar="PROFILE", help=both("AWS profile.", "AWS 配置名。"))]
AsJson = Annotated[bool, typer.Option("--json", help=both("Print JSON.", "输出 JSON。"))]
Yes = Annotated[bool, typer.Option("--yes", "-y", help=both("Do not ask.", "不再询问。"))]

_COMMON = {
    "stack": (StackName, None),
    "region": (Region, None),
    "profile": (Profile, None),
    "json": (AsJson, False),
}


@dataclass
class Shell:
    """One call of one command. ``json`` says how its data is wanted."""

    stack_name: str | None
    region: str | None
    profile: str | None
    json: bool

    @cached_property
    def stack(self) -> Stack:
        """The stack that is meant."""
        if self.stack_name:
            if self.stack_name == os.environ.get("KXT_STACK"):
                self.say(both(f"The stack {self.stack_name} (KXT_STACK)", f"堆栈 {self.stack_name}（KXT_STACK）"))
            return Stack.of(self.stack_name, region=self.region, profile=self.profile)
        if stack := Stack.local():
            where = stack.nearby and stack.nearby.folder.parent.parent
            self.say(both(f"The local stack {stack.name} ({where})", f"本机的堆栈 {stack.name}（{where}）"))
            return stack
        raise Misused(
            both(
                "Which stack? No local one is up (`make up` starts one): name it with --stack, or set KXT_STACK.",
                "用哪个堆栈？本机没有正在运行的（`make up` 可启动一个）：请用 --stack 指明，或设置 KXT_STACK。",
            )
        )

    @cached_property
    def _out(self) -> Console:
        return Console(highlight=False, soft_wrap=True)

    @cached_property
    def err(self) -> Console:
        """Where everything goes that is no data."""
        return Console(stderr=True, highlight=False, soft_wrap=True)

    @property
    def on_terminal(self) -> bool:
        """Whether a person looks at what is printed."""
        return self._out.is_terminal and not self.json

    # --- printing -----------------------------------------------------------------------------------------------

    def say(self, text: str, style: str | None = None) -> None:
        """Tell something that is no data."""
        self.err.print(text, style=style, markup=False)

    def line(self, text: str = "", style: str | None = None) -> None:
        """Print a line of data; with ``--json`` there are none."""
        if not self.json:
            self._out.print(text, style=style, markup=False)

    def give(self, value: Any) -> None:
        """Print a value as JSON, if that is wanted; everything else prints itself."""
        if self.json:
            plain = msgspec.to_builtins(value, enc_hook=_plain)
            print(json.dumps(plain, ensure_ascii=False, indent=2))  # noqa: T201  # data, byte for byte

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str = "") -> None:
        """Print rows; ``empty`` is said where there are none."""
        if self.json:
            return
        shown = [[_cell(each) for each in row] for row in rows]
        if not shown:
            if empty:
                self.say(empty)
        elif self.on_terminal:
            table = Table(*columns, box=None, pad_edge=False, header_style="bold")
            for row in shown:
                table.add_row(*row)
            self._out.print(table, soft_wrap=False, markup=False)
        else:
            for row in ([*columns], *shown):
                print("\t".join(each.replace("\t", " ").replace("\n", " ") for each in row))  # noqa: T201

    def sure(self, question: str, *, yes: bool) -> None:
        """Go on only if somebody says so. Raises :class:`Misused` where nobody can be asked."""
        if yes:
            return
        if not (sys.stdin.isatty() and self.err.is_terminal):
            raise Misused(
                both(f"{question} Nobody can be asked here: --yes.", f"{question} 这里无法询问：请加 --yes。")
            )
        self.err.print(f"{question} [y/N] ", end="", markup=False)
        if input().strip().casefold() not in ("y", "yes", "是"):
            raise Told(both("Nothing was changed.", "没有做任何改动。"))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterator):
        return list(value)
    raise NotImplementedError


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


# --- commands ---------------------------------------------------------------------------------------------------


def helped(english: str, chinese: str, *examples: str) -> str:
    """Return a command's help: what it does, and examples before all else."""
    what, _, more = both(english, chinese).partition("\n\n")
    lines = "\n".join(f"  {each}" for each in examples)
    shown = f"\n\n\b\n{lines}" if examples else ""
    # the help's formatter knows no width but len(), of which a Chinese character takes two columns
    rest = "".join(f"\n\n\b\n{each}" if "\n" in each else f"\n\n{each}" for each in more.split("\n\n") if each)
    return f"{what}{shown}{rest}"


def command(group: typer.Typer, name: str, text: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command: a function of a :class:`Shell` and of its own arguments and options.

    One whose type is a dataclass stands for the options that are its fields.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        _, *asked = inspect.signature(function, eval_str=True).parameters.values()
        groups = [each for each in asked if is_dataclass(each.annotation)]

        def run(*, stack: str | None, region: str | None, profile: str | None, json: bool, **given: Any) -> None:
            for one in groups:
                values = {option.name: given.pop(option.name) for option in _options(one.annotation)}
                given[one.name] = one.annotation(**values)
            with telling():
                function(Shell(stack, region, profile, json), **given)

        own = [option for each in asked for option in (_options(each.annotation) if each in groups else [each])]
        common = [
            inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
            for key, (kind, default) in _COMMON.items()
        ]
        named = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own]
        run.__signature__ = inspect.Signature([*named, *common])  # type: ignore[attr-defined]  # typer reads it
        run.__annotations__ = {each.name: each.annotation for each in (*named, *common)}
        run.__name__ = name.replace("-", "_")
        group.command(name, help=text)(run)
        return function

    return register


def _options(group: Any) -> list[inspect.Parameter]:
    return [*inspect.signature(group, eval_str=True).parameters.values()]


@contextmanager
def telling() -> Iterator[None]:
    """Tell what goes wrong in a sentence, and end with the status that says so."""
    try:
        yield
    except (KuaixintongError, Told) as error:
        _tell(error)
        raise typer.Exit(WRONG_USE if isinstance(error, (Misused, SendRefused)) else FAILED) from None
    except (typer.Exit, typer.Abort, typer.TyperException, BrokenPipeError):
        raise
    except KeyboardInterrupt as stopped:
        _complain(str(stopped) or both("Stopped.", "已停止。"))
        raise typer.Exit(CUT_OFF) from None
    except Exception as error:  # a traceback helps nobody who types a command
        if os.environ.get("KXT_DEBUG"):
            raise
        _complain(
            both(
                f"kxt met what it does not know: {type(error).__name__}: {error}. KXT_DEBUG=1 shows where.",
                f"kxt 遇到未知的问题：{type(error).__name__}: {error}。设置 KXT_DEBUG=1 可查看位置。",
            )
        )
        raise typer.Exit(FAILED) from None


def _tell(error: KuaixintongError | Told) -> None:
    told = explained(error) if isinstance(error, KuaixintongError) else error
    faults = getattr(told, "faults", None) or [str(told)]
    for fault in faults:
        _complain(fault)


def _complain(text: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(text, style="red", markup=False)
