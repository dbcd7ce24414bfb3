"""``make bench``: an emulator and a simulated platform of its own, then every benchmark, or those named."""

import argparse
import os
import sys
from pathlib import Path
from unittest.mock import patch

from local.processes import free_port
from local.stack import EmulatedStack
from tests.bench import importing, producer, reading, receiver, sender, traffic

PARTS = ("sender", "receiver", "producer", "importing", *traffic.PARTS, "reading")


class Emulator(EmulatedStack):
    """Emulated AWS with nothing deployed: the benchmarks call the functions' code in this process."""

    def deploy(self, **changes: str) -> None:
        """Deploy nothing."""


def main() -> None:
    """Run what was asked for. The platform and the emulator are processes of their own, as they are in earnest."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("part", nargs="*", default=PARTS, choices=PARTS, help=f"one of {', '.join(PARTS)}")
    chosen = parser.parse_args().part
    port, control = free_port(), free_port()
    platform = f"http://127.0.0.1:{port}/webservice/http/service"
    with Emulator("bench", platform_url=platform) as stack:
        simulator = stack.start_process(
            "simulator",
            *(Path(sys.executable), "-m", "local.simulator", "--balance", "100000000"),
            *("--port", str(port), "--control-port", str(control)),
        )
        stack.wait_for(simulator, f"http://127.0.0.1:{control}/_sim/state")
        with patch.dict(os.environ, stack.environment):
            if "sender" in chosen:
                sender.run(platform, f"http://127.0.0.1:{control}/_sim")
            if "receiver" in chosen:
                receiver.run()
            if "producer" in chosen:
                producer.run()
            if "importing" in chosen:
                importing.run(platform, f"http://127.0.0.1:{control}/_sim")
            traffic.run(platform, f"http://127.0.0.1:{control}/_sim", chosen)
            if "reading" in chosen:
                reading.run()


if __name__ == "__main__":
    main()
