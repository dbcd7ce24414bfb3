"""What of the user's shell reaches things local: nothing that names a proxy, a profile, an endpoint or an account.

Packages are installed by ``make``, with all of the user's settings. What runs afterwards talks to this machine
alone, and must not fail, or reach a real account, because of what a company has put into its people's shells.
"""

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

_LEADS_ELSEWHERE = re.compile(r"AWS_.*|BOTO_CONFIG|NETRC|.*_PROXY", re.IGNORECASE)

_INSTEAD = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "NETRC": os.devnull,
    # not merely none: some systems know proxies without a variable
    "NO_PROXY": "*",
    "no_proxy": "*",
}

_HERE = "127.0.0.1,localhost"

_CHILDREN_NEED = re.compile(r"PATH|HOME|USER|LOGNAME|SHELL|TERM|TZ|TMPDIR|LANG|LANGUAGE|LC_.*|LD_LIBRARY_PATH")


AS_STARTED = dict(os.environ)
"""The environment of the user's shell."""


def forget_the_users() -> None:
    """Take out of this process's environment whatever could lead a client elsewhere."""
    for name in [name for name in os.environ if _LEADS_ELSEWHERE.fullmatch(name)]:
        del os.environ[name]
    os.environ.update(_INSTEAD)


def neutral(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the little of an environment that a program of the local stack's needs."""
    return {name: value for name, value in environment.items() if _CHILDREN_NEED.fullmatch(name)} | _INSTEAD


def exports(environment: Mapping[str, str], users: Mapping[str, str], *, tools: Sequence[Path] = ()) -> str:
    """Return shell lines that point the AWS CLI, boto3 and curl at a local stack, whatever the shell knew before.

    ``environment`` is what to set, ``users`` the environment of the user's shell; in ``tools``, folders, programs
    are looked for before all others.
    """
    lines = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    lines += [f"export {name}={_INSTEAD[name]}" for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")]
    lines += ["export AWS_PAGER="]
    lines += [f'export {name}="{_HERE}${{{name}:+,${name}}}"' for name in ("NO_PROXY", "no_proxy")]
    lines += [f'export PATH={shlex.quote(":".join(map(str, tools)))}:"$PATH"'] if tools else []
    set_here = {line.removeprefix("export ").partition("=")[0] for line in lines}
    leftover = sorted(name for name in users if name.startswith("AWS_") and name not in set_here)
    return "\n".join([*(f"unset {name}" for name in leftover), *lines])
