"""A study queried in DuckDB's SQL: nothing can be changed, and no other file be read."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pandas as pd

from core import results
from core.analysis.subgroup import Subgroup
from core.errors import InputError
from core.results.query_functions import add_metrics
from core.study import paths
from core.study.study import Study

# A view's column of the file that a row is from, which no view shows: longer than a class's name.
FILE = "_file" + 100 * "_"


def query(study: Study, sql: str, subgroup: str | None = None) -> pd.DataFrame:
    """The answer of a study to a `select` in DuckDB's SQL.

    Tables: labels, predictions (run, sparsity, image_id, a column a class) and ensembles (the same
    without run), which are read from its files (a class called run is `run_1` there, and mass
    beside Mass `mass_1`: SQL knows no case), and every table of `results.TABLES`, which is made if
    the query names it. Functions: DuckDB's, and those of `core.results.query_functions`. Of a
    subgroup, in the text of `core.analysis.subgroup`, every table holds or is made of its test
    images only. Nothing can be changed, and no other file be read. Raises InputError for another
    statement, one that DuckDB refuses, or a table that cannot be of a subgroup.
    """
    chosen = Subgroup.parse(subgroup, study.labels) if subgroup is not None else None
    with duckdb.connect() as connection:
        try:
            statements = connection.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise InputError("One select, please: a query reads a study and changes nothing.")
            among = ""
            if chosen:
                images = study.test.image_ids[chosen(study.labels)]
                connection.register("_subgroup", pd.DataFrame({"image_id": images}))
                among = " where image_id in (select image_id from _subgroup)"
            for name, view in _views(study.folder).items():
                connection.execute(f"create view {name} as {view}{among}")
            for name in results.TABLES.keys() & set(re.findall(r"\w+", sql)):
                connection.register(name, results.table(study, name, chosen))
            allowed = {_text(study.folder), _text(_literal(study.folder))}
            connection.execute(f"set allowed_directories = [{', '.join(sorted(allowed))}]")
            connection.execute("set enable_external_access = false")
            connection.execute("set python_enable_replacements = false")
            add_metrics(connection)
            connection.execute("set lock_configuration = true")
            return connection.execute(statements[0]).df()
        except duckdb.Error as error:
            _, _, said = str(error).partition(f"{InputError.__name__}: ")
            raise InputError(said or f"DuckDB does not take this query: {error}") from error


def _views(folder: Path) -> dict[str, str]:
    """SQL of the tables that there are."""
    # Of the file's own name and folder: a folder above may be called run=5 too.
    number = f"cast(regexp_extract({FILE}, '{{}}', 1) as integer)"
    run = number.format(r"run=([0-9]+)[/\\]sparsity=[0-9]+\.parquet$")
    sparsity = number.format(r"sparsity=([0-9]+)\.parquet$") + " / 100 as sparsity"
    here = Path()
    views = {
        "labels": (paths.labels_path(here), "*"),
        "predictions": (
            here / "predictions" / "*" / "*.parquet",
            f"{run} as run, {sparsity}, * exclude ({FILE})",
        ),
        "ensembles": (here / "ensemble" / "*.parquet", f"{sparsity}, * exclude ({FILE})"),
    }
    return {
        name: f"select {columns} from read_parquet({_text(_literal(folder) / path)}, "
        f"hive_partitioning = false{f', filename = {FILE!r}' if FILE in columns else ''})"
        for name, (path, columns) in views.items()
        if next(folder.glob(path.as_posix()), None)
    }


def _literal(folder: Path) -> Path:
    """A pattern that means this folder, whatever stands in its name, and no other."""
    return Path(re.sub(r"([\[*?])", r"[\1]", str(folder)))


def _text(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
