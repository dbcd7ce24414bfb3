"""``make deploy``: where to, with what, and then ``sam build`` and ``sam deploy`` with the same parameters.

First of all it says which account and region it is about; without credentials nothing is asked. Then it asks for
what a first deploy has to decide, and for whatever else is to be changed, each with its description; with
``YES=1`` for nothing. What a stack has already is kept, unless ``samconfig.toml`` or ``SET`` says otherwise. Build
and deploy are given the same values, so that the layer's compiled packages are for the processor of the functions.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import boto3
import yaml
from botocore.exceptions import BotoCoreError, ClientError

from local import indexes
from local.processes import Failed
from local.records import ROOT

BUILT = ROOT / ".aws-sam" / "build" / "template.yaml"
"""What ``sam build`` leaves, and ``sam deploy`` takes."""

SAM = ROOT / ".venv" / "tools" / "sam" / "bin" / "sam"

FIRST = ("PlatformUrl", "AlarmEmail", "Network", "PushSources", "Architecture", "ApiLogRole")
"""What a first deploy asks for; everything else has a value that will do."""

_FIRST_FAILED = (
    "Its first deploy failed, and what is left of it cannot be updated: "
    'docs/operations.md, "A first deploy that fails".'
)
_IN_THE_WAY = {
    "CREATE_FAILED": _FIRST_FAILED,
    "ROLLBACK_COMPLETE": _FIRST_FAILED,
    "ROLLBACK_FAILED": _FIRST_FAILED,
    "DELETE_FAILED": "It was being removed. Finish that first, in CloudFormation's console.",
    "UPDATE_ROLLBACK_FAILED": "Its last deploy failed, and could not be taken back: continue that first, in "
    "CloudFormation's console.",
}
"""States of a stack in which a deploy could only fail, and what is to be done."""

type Ask = Callable[[str], str]


# --- where to --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Target:
    """An account and region, and the stack there: its ``status``, empty for one that is yet to be made."""

    account: str
    identity: str
    region: str
    endpoint: str | None
    stack: str
    status: str = ""
    values: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def found(cls, stack: str) -> Self:
        """Look up who the user is and what there is. Raises :class:`Failed` with a sentence for a person."""
        try:
            session = boto3.Session(region_name=os.environ.get("AWS_REGION"))
            if session.get_credentials() is None:
                raise Failed(
                    "There are no credentials of AWS: name a profile (AWS_PROFILE=…), sign in (`aws sso login`), "
                    "or put AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY into the environment. Nothing was done."
                )
            if not session.region_name:
                raise Failed("There is no region: give the profile one, or set AWS_REGION. Nothing was done.")
            endpoint = os.environ.get("AWS_ENDPOINT_URL")
            who = session.client("sts").get_caller_identity()
            status, values = _standing(session.client("cloudformation"), stack)
        except (BotoCoreError, ClientError) as error:
            raise Failed(f"AWS does not let us in: {str(error).rstrip('.')}. Nothing was done.") from error
        return cls(who["Account"], who["Arn"], session.region_name, endpoint, stack, status, values)

    @property
    def in_china(self) -> bool:
        """Whether it is in the partition ``aws-cn``."""
        return self.region.startswith("cn-")

    def told(self) -> str:
        """Say it to a person."""
        lines = [
            f"Account   {self.account}, as {self.identity}",
            f"Region    {self.region}",
            f"Stack     {self.stack}, "
            + (f"which is there: {self.status}" if self.status else "which will be new"),
        ]
        if self.endpoint:
            lines.append(f"Endpoint  {self.endpoint} (AWS_ENDPOINT_URL), so not AWS itself")
        if self.in_china:
            lines.append(
                "China     API Gateway answers pushes for accounts with an ICP filing alone. Without one, set "
                "PlainPush: docs/operations.md, step 1."
            )
        return "\n".join(lines)

    def check(self) -> None:
        """Raise :class:`Failed` where a deploy could only fail."""
        advice = _IN_THE_WAY.get(self.status)
        if self.status.endswith("_IN_PROGRESS"):
            advice = "Something is being done to it. Wait for that to end."
        if advice:
            raise Failed(f"{self.stack} cannot be deployed to now. {advice}")


def _standing(cloudformation: Any, stack: str) -> tuple[str, dict[str, str]]:
    try:
        [found] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return "", {}
        raise
    values = {each["ParameterKey"]: each["ParameterValue"] for each in found.get("Parameters", [])}
    return ("" if found["StackStatus"] == "REVIEW_IN_PROGRESS" else found["StackStatus"]), values


# --- with what -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Parameter:
    """A parameter of the template, and what it takes."""

    name: str
    description: str
    default: str | None
    allowed: tuple[str, ...] = ()
    pattern: str = ".*"
    longest: int = 4096
    least: int | None = None
    most: int | None = None
    constraint: str = ""

    @classmethod
    def read(cls, name: str, section: Mapping[str, Any]) -> Self:
        """Read a parameter of the template."""
        default = section.get("Default")
        return cls(
            name=name,
            description=" ".join(section["Description"].split()),
            default=None if default is None else str(default),
            allowed=tuple(map(str, section.get("AllowedValues", ()))),
            pattern=str(section.get("AllowedPattern", ".*")),
            longest=section.get("MaxLength", 4096),
            least=section.get("MinValue"),
            most=section.get("MaxValue"),
            constraint=section.get("ConstraintDescription", ""),
        )

    def fault(self, value: str) -> str | None:
        """Return what CloudFormation would have against a value, as a sentence."""
        if self.allowed and value not in self.allowed:
            return f"{self.name} is one of {', '.join(self.allowed)}; not {value!r}."
        if self.least is not None and self.most is not None:
            if value.isdecimal() and self.least <= int(value) <= self.most:
                return None
            return f"{self.name} is a number from {self.least} to {self.most}; not {value!r}."
        if len(value) > self.longest or not re.fullmatch(self.pattern, value, re.ASCII):
            return f"{self.name} cannot be {value!r}. {self.constraint}".rstrip()
        return None


def parameters(template: Path = ROOT / "template.yaml") -> dict[str, Parameter]:
    """Return the template's parameters by name, in its order."""
    # what follows the parameters has CloudFormation's own tags
    text, _, _ = template.read_text("utf-8").partition("\nMappings:\n")
    sections = yaml.safe_load(text)["Parameters"]
    return {name: Parameter.read(name, each) for name, each in sections.items()}


def settings(environment: str, path: Path = ROOT / "samconfig.toml") -> tuple[str, dict[str, str]]:
    """Return an environment's stack and parameters in ``samconfig.toml``; :class:`Failed` if it has none."""
    config = tomllib.loads(path.read_text("utf-8"))
    if environment not in config:
        known = ", ".join(name for name in config if name != "version")
        raise Failed(f"{path.name} has no environment {environment!r}; it has {known}.")
    shared = config[environment]["global"]["parameters"]
    return shared["stack_name"], assignments(shlex.split(shared["parameter_overrides"]))


def assignments(words: Iterable[str]) -> dict[str, str]:
    """Read ``Name=value`` words. Raises :class:`Failed` for one that is none."""
    pairs = [word.partition("=") for word in words]
    if wrong := [name for name, sign, _ in pairs if not sign]:
        raise Failed(f"Not of the form Name=value: {', '.join(wrong)}.")
    return {name: value for name, _, value in pairs}


def faults(values: Mapping[str, str], known: Mapping[str, Parameter]) -> list[str]:
    """Return everything that is wrong with the parameters' values, each as a sentence."""
    unknown = [f"There is no parameter {name}." for name in values if name not in known]
    missing = [f"{name} has no value." for name in known if name not in values]
    wrong = [fault for name, value in values.items() if name in known and (fault := known[name].fault(value))]
    return unknown + missing + wrong


class Questions:
    """Asks a person for parameters, on a terminal."""

    def __init__(self, known: Mapping[str, Parameter], values: dict[str, str], ask: Ask = input) -> None:
        self._known = known
        self._values = values
        self._ask = ask

    def ask_for(self, names: Iterable[str]) -> None:
        """Ask for each; Enter keeps the value that it has."""
        for name in names:
            self._ask_for(self._known[name])

    def ask_for_more(self) -> None:
        """Ask for whatever else is to be changed, until there is nothing."""
        while name := self._ask(
            "\nAnother parameter to change (its name, ? for the list, Enter to deploy): "
        ).strip():
            if name in self._known:
                self._ask_for(self._known[name])
            else:
                print("\n".join(f"  {known} = {self._values.get(known, '')}" for known in self._known))

    def _ask_for(self, parameter: Parameter) -> None:
        print("\n" + textwrap.fill(parameter.description, 100))
        if parameter.allowed:
            print(f"One of {', '.join(parameter.allowed)}.")
        while True:
            now = self._values.get(parameter.name)
            value = self._ask(f"{parameter.name} [{now}]: " if now else f"{parameter.name}: ").strip() or now or ""
            fault = parameter.fault(value)
            if not fault:
                self._values[parameter.name] = value
                return
            print(fault)


# --- and then --------------------------------------------------------------------------------------------------


def overrides(values: Mapping[str, str]) -> list[str]:
    """Return parameters as ``sam build`` and ``sam deploy`` take them."""
    return ["--parameter-overrides", *(f'{name}="{value}"' for name, value in values.items())]


def run(arguments: list[str], *, sam: Path = SAM, ask: Ask = input) -> None:
    """Deploy. Raises :class:`Failed`."""
    options = _options(arguments)
    stack, configured = settings(options.env)
    given = assignments(options.parameters)
    if options.arch:
        given["Architecture"] = options.arch
    target = Target.found(stack)
    print(target.told(), flush=True)
    target.check()
    if not options.yes and not sys.stdin.isatty():
        raise Failed("There is nobody to ask here. YES=1 asks nothing: docs/operations.md, step 1.")

    known = parameters()
    defaults = {name: each.default for name, each in known.items() if each.default is not None}
    kept = {name: value for name, value in target.values.items() if name in known}
    values = {**defaults, **kept, **configured, **given}
    if not options.yes:
        questions = Questions(known, values, ask)
        first = FIRST if not target.status else [name for name in known if name not in values]
        questions.ask_for(name for name in first if name not in given)
        questions.ask_for_more()
    if wrong := faults(values, known):
        raise Failed("\n".join([*wrong, "docs/parameters.md has them all. Nothing was done."]))
    print("\n" + "\n".join(_changes(kept, values)), flush=True)
    own = {name: value for name, value in values.items() if value != {**defaults, **configured}.get(name)}
    again = shlex.quote(" ".join(f"{name}={shlex.quote(value)}" for name, value in own.items()))
    print(f"\nThe same without questions: make deploy ENV={options.env} YES=1 SET={again}\n", flush=True)

    common = ["--config-env", options.env, "--region", target.region, *overrides(values)]
    _sam(sam, "build", *common)
    unasked = ["--no-confirm-changeset"] if options.yes else []
    deploy = ["deploy", "--stack-name", stack, *unasked, *common]
    for template in _on_the_way(target):
        print("\nA table gets several new indexes: one after the other, a deploy each.\n", flush=True)
        _sam(sam, *deploy, "--template-file", str(template))
    _sam(sam, *deploy)


def _on_the_way(target: Target) -> list[Path]:
    """Write the templates that a stack needs before the one that was built; none for a new stack."""
    if not target.status or not BUILT.exists():
        return []
    try:
        session = boto3.Session(region_name=target.region)
        clients = session.client("cloudformation"), session.client("dynamodb")
        return indexes.write_on_the_way(BUILT, indexes.standing(*clients, target.stack))
    except (BotoCoreError, ClientError) as error:
        raise Failed(
            f"AWS does not tell which indexes the tables have: {str(error).rstrip('.')}. Nothing was deployed."
        ) from error


def _changes(kept: Mapping[str, str], values: Mapping[str, str]) -> list[str]:
    """Say what becomes of a stack's parameters; of a new stack's there is nothing to say."""
    changes = [
        f"  {name}: {kept[name]} -> {value}" for name, value in values.items() if kept.get(name, value) != value
    ]
    return ["Changes of parameters:", *changes] if changes else []


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make deploy", description="Build and deploy to an AWS account.")
    parser.add_argument("--env", default="default", help="environment of samconfig.toml (ENV=)")
    parser.add_argument("--arch", default="", help="processor of the functions: arm64 or x86_64 (ARCH=)")
    parser.add_argument("--yes", action="store_true", help="ask nothing (YES=1)")
    parser.add_argument("parameters", nargs="*", metavar="Name=value", help="parameters (SET=)")
    return parser.parse_args(arguments)


def _sam(sam: Path, *arguments: str) -> None:
    if subprocess.run([sam, *arguments], cwd=ROOT, check=False).returncode:
        raise Failed(f"sam {arguments[0]} did not end well; what it says stands above.")


if __name__ == "__main__":
    try:
        run(sys.argv[1:])
    except Failed as failed:
        sys.exit(failed.explained)
    except (KeyboardInterrupt, EOFError):
        sys.exit("\nStopped.")
