"""``make mutants``: what the tests have not noticed, fault by fault, and a table of what they have, per module."""

import argparse
import gc
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.mutants import trial
from tests.mutants.accepted import accepted
from tests.mutants.campaign import Result, TestsFail, run, watch
from tests.mutants.modules import Module, modules

SAMPLE = 60
"""Mutants of a module that are tried, if it was not asked for by its name."""

SEED = 20261125

LEAST_OF_ALL, LEAST_OF_ONE = 92, 85
"""Per cent of the mutants that have to be noticed: of all modules together, and of each."""


def main() -> int:
    """Return 0 if enough was noticed and the list of accepted mutants is up to date."""
    asked = _arguments()
    known = {each.name: each for each in modules()}
    if unknown := [name for name in asked.module if name not in known]:
        print(f"There is no module {', '.join(unknown)}. There are {', '.join(known)}.")
        return 2
    chosen = [known[name] for name in asked.module] or [
        each for each in modules() if asked.all or each.is_of_the_heart
    ]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that nothing is left behind
    begun = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="mutants-") as bytecode:
            trial.preload(Path(bytecode))
            results = _run(chosen, asked)
    except TestsFail as error:
        print(f"The tests cannot be run:\n{error}")
        return 1
    _tell(results, time.monotonic() - begun)
    return 0 if _enough(results) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--module", nargs="*", default=[], help="modules that are tried whole: core/ledger")
    parser.add_argument("--all", action="store_true", help="every module: reading, importing, receiving, too")
    parser.add_argument("--sample", type=int, help=f"mutants per module ({SAMPLE}; of one that is named: all)")
    parser.add_argument("--seed", type=int, default=SEED, help=f"chooses the sample ({SEED})")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2, help="processes side by side")
    return parser.parse_args()


def _run(chosen: Sequence[Module], asked: argparse.Namespace) -> list[Result]:
    gc.freeze()  # what is there now is the children's too, and never collected
    _progress("watching the tests, to know which of them run what")
    coverage = watch(chosen, side_by_side=asked.jobs)
    for test in sorted(coverage.failing):
        print(f"not asked, since it fails without any fault: {test}")
    results = []
    most = asked.sample or (None if asked.module else SAMPLE)
    for result in run(chosen, coverage, accepted(), most=most, seed=asked.seed, side_by_side=asked.jobs):
        results.append(result)
        _tell_module(result)
        _progress(f"{len(results)} of {len(chosen)} modules tried")
    return results


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="\r", file=sys.stderr, flush=True)


def _line(result: Result) -> str:
    numbers = (
        f"{result.there_are:6} {result.tried:6} {result.noticed:6} {len(result.survived):8} {result.accepted:8}"
    )
    return f"{result.module.name:24} {numbers} {result.share:6.1f} %"


def _tell_module(result: Result) -> None:
    for fault in result.survived:
        print(f"survived: {result.module.name}, {fault}")
    for words in result.stale:
        print(f"accepted.toml: {words}")
    print(_line(result), flush=True)


def _tell(results: Sequence[Result], seconds: float) -> None:
    print()
    print(f"{'module':24} {'exist':>6} {'tried':>6} {'killed':>6} {'survived':>8} {'accepted':>8} {'share':>7}")
    for result in sorted(results, key=lambda each: each.share):
        print(_line(result))
    tried, noticed = sum(each.tried for each in results), sum(each.noticed for each in results)
    equal = sum(each.accepted for each in results)
    share = 100 * noticed / max(tried - equal, 1)
    numbers = f"{tried:6} {noticed:6} {tried - noticed - equal:8} {equal:8} {share:6.1f} %"
    print(f"{'together':24} {'':6} {numbers}   in {seconds:.0f} s")


def _enough(results: Sequence[Result]) -> bool:
    noticed = sum(each.noticed for each in results)
    could_be = sum(each.tried - each.accepted for each in results)
    return (
        noticed >= LEAST_OF_ALL * could_be / 100
        and all(each.share >= LEAST_OF_ONE for each in results)
        and not any(each.stale for each in results)
    )


if __name__ == "__main__":
    sys.exit(main())
