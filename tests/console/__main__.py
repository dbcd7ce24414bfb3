"""``python -m tests.console``: a made-up stack with its console, in a process of its own, until SIGTERM.

The first line on stdout is JSON: where the console is opened, and the simulator's control.
"""

import argparse
import json
import os
import signal
import sys
import threading
from itertools import count

os.environ.update(
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
    AWS_DEFAULT_REGION="us-east-1",
    POWERTOOLS_TRACE_DISABLED="true",
    POWERTOOLS_METRICS_NAMESPACE="Kuaixintong",
    POWERTOOLS_SERVICE_NAME="test",
)

from botocore.exceptions import EndpointConnectionError

import kuaixintong.cancel
from kxt.console.desk import Desk  # boto3 looks at the environment as it is imported
from kxt.console.serving import serve
from kxt.console.simulation import Simulation
from tests.console.world import NAME, local_world


def main() -> int:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--read-only", action="store_true")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    kuaixintong.cancel._SETTLES = 1.0  # no worker here claims on what it has looked up so long ago
    with local_world() as world:

        def tell(link: str) -> None:
            line = {"link": link, "control": world.platform.control_url}
            sys.stdout.write(f"{json.dumps(line)}\n")
            sys.stdout.flush()

        def silence(_number: int, _frame: object) -> None:
            silent.clear() if silent.is_set() else silent.set()

        def refuse(**_: object) -> None:
            if silent.is_set():
                raise EndpointConnectionError(endpoint_url="DynamoDB")

        def give_up(_number: int, _frame: object) -> None:
            body = {"id": f"given-up-{next(given_up)}", "mobiles": ["13900000009"], "content": "late"}
            queue = world.stack.output("DeadLetterQueueUrl")
            world.stack.person.sqs().send_message(QueueUrl=queue, MessageBody=json.dumps(body))

        given_up = count(1)
        signal.signal(signal.SIGUSR2, give_up)  # a send lies in the dead-letter queue
        silent = threading.Event()
        signal.signal(signal.SIGUSR1, silence)  # DynamoDB does not answer the console, until told so again
        world.stack.dynamodb.meta.events.register("before-call", refuse)
        simulation = Simulation(world.platform.control_url)
        desk = Desk(world.stack, name=NAME, simulation=simulation, read_only=options.read_only)
        serve(desk, port=options.port, tell=tell)
    return 0


if __name__ == "__main__":
    sys.exit(main())
