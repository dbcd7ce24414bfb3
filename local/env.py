"""``make env``: the shell lines that lead to the local stack that is up, for ``eval "$(make -s env)"``.

Nothing else is printed on stdout, since a shell runs it.
"""

import json
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from local import environment, records
from local.processes import Failed
from local.records import Record
from local.stack import Clients

_OWN_AWS = records.ROOT / ".venv" / "tools" / "awscli" / "bin" / "aws"
_TOOLS = records.ROOT / "local" / "bin"  # runs the above
_KXT = records.ROOT / ".venv" / "commands"  # kxt alone
_ENOUGH = (2, 13)  # the first version of the AWS CLI that heeds AWS_ENDPOINT_URL for every service


def main() -> None:
    """Print the lines. Raises :class:`Failed` if no stack is up."""
    running = [record for record in records.recorded().values() if record.up]
    if not running:
        raise Failed("No local stack is up; `make up` starts one.")
    [stack, *_] = running
    if stack.ended:
        raise Failed(f"The local stack's {' and '.join(stack.ended)} ended: `make down`, then `make up`.")
    exports = {**stack.exports, **_push_account(stack)}
    tools = [_KXT, *([] if _aws_is_enough() else _commands())]
    print(environment.exports(exports, environment.AS_STARTED, tools=tools))


def _push_account(stack: Record) -> dict[str, str]:
    """Return what pushes have to carry now: the password may have been changed since the stack came up."""
    secret = Clients(stack.exports).secrets.get_secret_value(SecretId=stack.outputs["PushSecretArn"])
    account = json.loads(secret["SecretString"])
    return {"PUSH_UID": account["uid"], "PUSH_PWD": account["pwd"]}


def _aws_is_enough() -> bool:
    with suppress(OSError, subprocess.SubprocessError):
        told = subprocess.run(["aws", "--version"], capture_output=True, text=True, timeout=20, check=False)
        found = re.match(r"aws-cli/(\d+)\.(\d+)", told.stdout)
        return found is not None and (int(found[1]), int(found[2])) >= _ENOUGH
    return False


def _commands() -> list[Path]:
    """Return the folder of the project's own ``aws``, if make has installed that."""
    if _OWN_AWS.exists():
        return [_TOOLS]
    print("The AWS CLI is missing here, or older than 2.13.", file=sys.stderr)
    return []
