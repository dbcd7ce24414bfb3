"""The AWS CLI without its second of start-up: a process has imported it once and forks for every call.

::

    .venv/tools/awscli/bin/python tests/quick_aws.py serve SOCKET          # prints a line when it listens
    .venv/bin/python -S -E tests/quick_aws.py call SOCKET sqs list-queues

A call takes over the caller's standard streams, environment and folder, and returns the CLI's exit status. The
caller imports next to nothing.
"""

import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from importlib import import_module

_LENGTH = 8


def serve(path: str) -> None:
    """Serve calls until the end of stdin."""
    driver = import_module("awscli.clidriver")
    driver.create_clidriver()  # imports what a call would import
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        if os.fork() == 0:  # ends with whoever holds our stdin
            sys.stdin.read()
            os.kill(os.getppid(), signal.SIGTERM)
            os._exit(0)
        sys.stdout.write("listening\n")
        sys.stdout.flush()
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                _answer(connection, driver.main)
                os._exit(0)
            connection.close()


def _answer(connection: socket.socket, main: Callable[[], int]) -> None:
    first, streams, *_ = socket.recv_fds(connection, _LENGTH, 3)
    with connection, connection.makefile("rb") as stream:
        told = json.loads(stream.read(int(first)))
        for number, each in enumerate(streams):
            os.dup2(each, number)
        found = {"AWS_DATA_PATH": os.environ["AWS_DATA_PATH"]}  # which the CLI sets as it is imported
        os.environ.clear()
        os.environ.update(told["environment"] | found)
        os.chdir(told["folder"])
        sys.argv = ["aws", *told["arguments"]]
        status = 255
        try:
            status = main()
        except SystemExit as left:
            status = left.code if isinstance(left.code, int) else 1
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            connection.sendall(str(status).encode())


def call(path: str, *arguments: str) -> int:
    """Let the server run the CLI with these arguments; return its exit status."""
    environment, folder = dict(os.environ), os.getcwd()  # noqa: PTH109 - pathlib takes its time to import
    told = json.dumps({"arguments": arguments, "environment": environment, "folder": folder}).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        socket.send_fds(connection, [str(len(told)).rjust(_LENGTH).encode()], [0, 1, 2])
        connection.sendall(told)
        return int(connection.recv(16) or b"255")


if __name__ == "__main__":
    command, *rest = sys.argv[1:]
    if command == "serve":
        serve(*rest)
    sys.exit(call(*rest))
