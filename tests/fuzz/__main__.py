"""`python -m tests.fuzz [kind ...] [--cases 10000] [--from 0]`: reads them, and prints a table."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

from tests.fuzz.kinds import KINDS
from tests.fuzz.runner import Summary, fuzz

CASES = 10_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="kind", help=", ".join(KINDS))
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--from", dest="first", type=int, default=0)
    asked = parser.parse_args()
    if unknown := [kind for kind in asked.kinds if kind not in KINDS]:
        parser.error(f"there is no kind {unknown[0]!r}; there are: {', '.join(KINDS)}")
    done = []
    for kind in asked.kinds or KINDS:
        done.append(fuzz(kind, asked.first, asked.first + asked.cases, _progress()))
        print(f"\r{' ' * 78}\r", end="", file=sys.stderr)
    print(f"{'kind':<12} {'cases':>7} {'accepted':>9} {'refused':>8} {'failed':>7} "
          f"{'slowest s':>10} {'peak MB':>8}")  # fmt: skip
    for one in done:
        print(
            f"{one.kind:<12} {one.cases:>7,} {one.accepted:>9,} {one.refused:>8,} "
            f"{len(one.failures):>7,} {one.seconds:>10.2f} {one.bytes / 2**20:>8,.0f}"
        )
    return int(any(one.failures for one in done))


def _progress() -> Callable[[Summary], None]:
    """A line on standard error each second, and each failure as soon as it is known."""
    last, n_failed = 0.0, 0

    def tell(summary: Summary) -> None:
        nonlocal last, n_failed
        for failure in summary.failures[n_failed:]:
            print(failure, end="\n\n", flush=True)
        n_failed = len(summary.failures)
        if time.monotonic() - last > 1:
            last = time.monotonic()
            line = f"{summary.kind}: {summary.cases:,} cases, {len(summary.failures)} failed"
            print(f"\r{line:<78}", end="", file=sys.stderr, flush=True)

    return tell


if __name__ == "__main__":
    sys.exit(main())
