"""Damage to tables: cells, columns, rows and types, then how they are written down."""

from __future__ import annotations

import csv
import gzip
import io
import random
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from tests.fuzz.mutations import damaged, odd_number

Table = dict[str, list[str]]

ODD_CELLS = (
    *("", " ", "nan", "NaN", "NA", "null", "None", "-", "0", "1", "-1", "2", "0.5", "1.0", "-0"),
    *(
        "1e999",
        "-1e999",
        "inf",
        "1e-400",
        "0x1",
        "1_000",
        "1,5",
        "\u0661",
        "½",
        "1" * 400,
        "9" * 5000,
    ),
    *("True", "TRUE", "false", "train", "test", "validation", "TRAIN ", "No Finding", "|", "||"),
    *("Mass|No Finding", "Mass|Mass", "../../etc/passwd", "/etc/passwd", "C:\\x.png", "a\\b.png"),
    *(".", "..", "./a.png", "a//b", "\0", "a\0b", "\r", "\n", "a\nb", '"', '""', "'", "=1+1", "#"),
    *("é", "e\u0301", "\u202e", "\ufeff", "😀", "\ud800", "a" * 5000, "|".join(["x"] * 3000)),
    *("2024-01-01", "058Y", "999Y", "00000001_000.png", "image_id", "path", "<b>x</b>", "%s", "{}"),
)
ODD_NAMES = (
    *(
        "",
        " ",
        "image_id",
        "patient_id",
        "path",
        "split",
        "label",
        "id",
        "Unnamed: 0",
        "Mass|Nodule",
    ),
    *("a" * 300, "\0", "😀", "0", "1", "nan", "index", "__index_level_0__", "\n", "Image Index"),
)
ENCODINGS = ("utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1", "cp1252", "utf-32")
TOKENS = (
    *(b",", b'"', b"\n", b"\r", b"\r\n", b"\0", b";", b"\t", b'""', b'",', b'"\n', b"\xef\xbb\xbf"),
    *(b"\xff\xfe", b"\xc3", b"\x1a", b"1e308", b"nan", b"," * 500, b"\n" * 500, b'"' * 99),
)
TYPES = (
    *(pa.string(), pa.large_string(), pa.binary(), pa.bool_(), pa.int8(), pa.uint64(), pa.int64()),
    *(pa.float16(), pa.float32(), pa.float64(), pa.timestamp("ns"), pa.date32(), pa.null()),
    *(pa.decimal128(9, 2), pa.list_(pa.int64()), pa.dictionary(pa.int32(), pa.string())),
    *(pa.struct([("a", pa.int64())]), pa.duration("s"), pa.time64("us"), pa.string_view()),
)


def read_table(text: str) -> Table:
    rows = list(csv.reader(io.StringIO(text)))
    return {name: [row[at] for row in rows[1:]] for at, name in enumerate(rows[0])}


def odd_table(rng: random.Random, table: Table) -> Table:
    """A copy with some cells, columns and rows that do not belong."""
    out = {name: list(values) for name, values in table.items()}
    for _ in range(rng.choice((0, 0, 1, 1, 2, 4))):
        name = rng.choice(list(out))
        what = rng.random()
        if what < 0.5:
            out[name][rng.randrange(len(out[name]))] = rng.choice(ODD_CELLS)
        elif what < 0.6:
            out[name] = [rng.choice(ODD_CELLS)] * len(out[name])
        elif what < 0.7:
            del out[name]
        elif what < 0.8:
            out = {
                (rng.choice(ODD_NAMES) if key == name else key): values
                for key, values in out.items()
            }
        elif what < 0.9:
            other = rng.choice(list(out))
            out[name], out[other] = out[other], out[name]
        else:
            _odd_rows(rng, out)
        if not out:
            return dict(table)
        if not next(iter(out.values())):
            break
    return out


def _odd_rows(rng: random.Random, out: Table) -> None:
    n = len(next(iter(out.values())))
    one, other = rng.randrange(n), rng.randrange(n)
    kind, times = rng.randrange(4), rng.choice((1, 3, 20)) if n < 200 else 1
    for values in out.values():
        if kind == 0:
            values.append(values[one])
        elif kind == 1:
            del values[min(one, other) : max(one, other)]
        elif kind == 2:
            values[one], values[other] = values[other], values[one]
        else:
            values *= times


def as_csv(rng: random.Random, table: Table, others: Sequence[bytes] = ()) -> bytes:
    """CSV as people, spreadsheets and bad disks write it."""
    buffer = io.StringIO()
    plain = rng.random() < 0.7
    writer = csv.writer(
        buffer,
        delimiter="," if plain else rng.choice(",;\t|"),
        lineterminator="\n" if plain else rng.choice(("\r\n", "\n", "\r", "\n\n")),
        quoting=csv.QUOTE_MINIMAL if plain else rng.choice((csv.QUOTE_ALL, csv.QUOTE_MINIMAL)),
    )
    writer.writerow(list(table))
    rows = [list(row) for row in zip(*table.values(), strict=True)]
    if rng.random() < 0.1 and rows:
        odd = rng.choice(rows)
        odd += ["more"] * rng.choice((1, 2, 300))
        del odd[rng.randrange(len(odd)) : rng.randrange(len(odd))]
    writer.writerows(rows)
    encoding = "utf-8" if plain else rng.choice(ENCODINGS)
    data = buffer.getvalue().encode(encoding, "surrogatepass" if "utf" in encoding else "replace")
    return damaged(rng, data, others, TOKENS) if rng.random() < 0.3 else data


def as_gzip(rng: random.Random, content: bytes) -> bytes:
    if rng.random() < 0.002:  # a bomb: 400 MB of rows in 400 kB
        return gzip.compress(content) + _zeros()
    data = gzip.compress(content, 1, mtime=0)
    return damaged(rng, data) if rng.random() < 0.6 else data


_BOMB: list[bytes] = []


def _zeros() -> bytes:
    if not _BOMB:
        _BOMB.append(gzip.compress(b"a,0\n" * 25_000_000, 4, mtime=0) * 4)
    return _BOMB[0]


def as_parquet(
    rng: random.Random, table: Table, numbers: Sequence[str], others: Sequence[bytes] = ()
) -> bytes:
    """Parquet whose columns are of any type, `numbers` mostly of numbers, now and then damaged."""
    arrays, names = [], []
    for name, values in table.items():
        wanted = pa.float32() if name in numbers else pa.string()
        arrays.append(_array(rng, values, rng.choice(TYPES) if rng.random() < 0.05 else wanted))
        names.append(name)
    made = pa.Table.from_arrays(arrays, names=[_encodable(name) for name in names])
    if rng.random() < 0.15:
        made = made.replace_schema_metadata({b"pandas": _pandas_metadata(rng, names)})
    if rng.random() < 0.003:
        made = pa.concat_tables([made] * 4000).combine_chunks()
        made = pa.table({n: _repeated(c) for n, c in zip(names, made.columns, strict=True)})
    buffer = io.BytesIO()
    codec = rng.choice(("snappy", "none", "gzip", "zstd", "brotli", "lz4"))
    pq.write_table(made, buffer, compression=codec, use_dictionary=rng.random() < 0.7)
    data = buffer.getvalue()
    if rng.random() < 0.5:
        return data
    # The table of contents is at the end; half the damage goes there.
    if rng.random() < 0.5:
        at = max(0, len(data) - int.from_bytes(data[-8:-4], "little") - 8)
        return data[:at] + damaged(rng, data[at:], others)
    return damaged(rng, data, others)


def _repeated(column: pa.ChunkedArray) -> pa.Array:
    """One value a million times: a page of some bytes."""
    return pa.array([column[0].as_py()] * 10**6, column.type)


def _array(rng: random.Random, values: list[str], wanted: pa.DataType) -> pa.Array:
    try:
        return pa.array([_encodable(value) for value in values], pa.string()).cast(wanted)
    except (pa.ArrowException, ValueError):
        pass
    try:
        odd = [None, odd_number(rng), float("nan"), float("inf"), 0, 1]
        return pa.array([rng.choice(odd) for _ in values]).cast(wanted, safe=False)
    except (pa.ArrowException, ValueError, OverflowError):
        return pa.array([_encodable(value) for value in values], pa.string())


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _pandas_metadata(rng: random.Random, names: list[str]) -> bytes:
    kinds = rng.choices(("int64", "object", "datetimetz", "categorical", "x", ""), k=len(names))
    columns = ",".join(
        f'{{"name":"{name}","field_name":"{name}","pandas_type":"{kind}","numpy_type":"{kind}",'
        '"metadata":null}'
        for name, kind in zip(names, kinds, strict=True)
        if name.isalnum()
    )
    index = rng.choice(("[]", f'["{names[0]}"]', '[{"kind":"range","start":0,"stop":9,"step":0}]'))
    text = f'{{"index_columns":{index},"column_indexes":[],"columns":[{columns}]}}'
    return damaged(rng, text.encode()) if rng.random() < 0.5 else text.encode()
