"""The gate: how often does the product claim what is not so? Whole studies of known truth, through
`prunescope import-predictions` and `prunescope export STUDY claims`.

    python -m tests.gate --studies 40 --kind null
    python -m tests.gate --studies 40 --kind frequent-first --seed 1000 --out rates.csv

prints, per claim and reading, the share of studies with each verdict and its 95 % interval.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pandas as pd
import scipy

from tests.simulated_studies import KINDS, Design

VERDICTS = ("as claimed", "opposite", "not shown", "cannot tell")
DECIDED = ("as claimed", "opposite")
WORKERS = 2
RATES = ("claim", "reading", "verdict", "n", "of", "rate", "ci_low", "ci_high")


def claims_of(design: Design, seed: int, table: str = "claims") -> pd.DataFrame:
    """The exported `table` of one study that is drawn, written, imported and deleted again."""
    from typer.testing import CliRunner

    from core.cli import app

    def call(*arguments: object) -> None:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exit_code:
            raise RuntimeError(f"{arguments} failed: {result.output}") from result.exception

    before = os.environ.get("PRUNESCOPE_CACHE")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["PRUNESCOPE_CACHE"] = str(folder / "cache")
        try:
            given, labels = design.draw(seed).write(folder / "given")
            which = ("--labels-dir", labels, "--dataset", "table", "--study", "simulated")
            call("import-predictions", given, *which)
            call("export", "simulated", table, "--out", folder / "table.parquet")
            return pd.read_parquet(folder / "table.parquet").assign(seed=seed)
        finally:
            del os.environ["PRUNESCOPE_CACHE"]
            if before is not None:
                os.environ["PRUNESCOPE_CACHE"] = before


def all_claims(design: Design, seeds: Sequence[int], table: str = "claims") -> pd.DataFrame:
    """The same of many studies, with a column `seed`, by WORKERS processes."""
    # A fork of a process with threads may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(WORKERS, context, _one_thread) as pool:
        jobs = [pool.submit(claims_of, design, seed, table) for seed in seeds]
        return pd.concat([job.result() for job in jobs], ignore_index=True)


def _one_thread() -> None:
    import pyarrow as pa

    pa.set_cpu_count(1)


def rates(claims: pd.DataFrame) -> pd.DataFrame:
    """RATES: per claim, reading and verdict the share of studies, with its interval (Wilson)."""
    rows = []
    for (claim, reading), some in claims.groupby(["claim", "reading"], sort=False):
        unknown = set(some["verdict"]) - set(VERDICTS)
        if unknown:
            raise ValueError(f"Verdicts that no reader knows: {', '.join(sorted(unknown))}.")
        for verdict in VERDICTS:
            count = int(some["verdict"].eq(verdict).sum())
            found = scipy.stats.binomtest(count, len(some)).proportion_ci(method="wilson")
            share = count / len(some)
            rows.append((claim, reading, verdict, count, len(some), share, found.low, found.high))
    return pd.DataFrame(rows, columns=list(RATES))


def most(rate: float, n: int, chance: float = 0.001) -> int:
    """The count of n that a product whose true rate is `rate` exceeds with at most `chance`."""
    return int(scipy.stats.binom.isf(chance, n, rate))


def shown(table: pd.DataFrame) -> str:
    """One line per claim and reading."""
    lines = []
    for (claim, reading), some in table.groupby(["claim", "reading"], sort=False):
        parts = [
            f"{row.verdict} {row.rate:.0%} ({row.ci_low:.0%} to {row.ci_high:.0%})"
            for row in some.itertuples()
        ]
        lines.append(f"{claim:26} {reading:10} {', '.join(parts)}; n = {some['of'].iloc[0]}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--studies", type=int, default=40)
    parser.add_argument("--kind", choices=KINDS, default="null")
    parser.add_argument("--seed", type=int, default=0, help="of the first study")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--images-per-patient", type=float, default=1.0)
    parser.add_argument("--class-sd", type=float, default=0.0, help="of losses, at any frequency")
    parser.add_argument("--offsets", action="store_true", help="logits around logit(prevalence)")
    parser.add_argument("--table", default="claims")
    parser.add_argument("--out", type=Path, help="a .csv of every study's rows")
    given = parser.parse_args()
    design = Design(
        kind=given.kind,
        n_runs=given.runs,
        images_per_patient=given.images_per_patient,
        class_sd=given.class_sd,
        offsets=given.offsets,
    )
    claims = all_claims(design, range(given.seed, given.seed + given.studies), given.table)
    if given.out:
        claims.to_csv(given.out, index=False)
    if given.table == "claims":
        print(shown(rates(claims)))


if __name__ == "__main__":
    main()
