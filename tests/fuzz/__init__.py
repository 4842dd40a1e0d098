"""Strangers' files by the ten thousand: mutated real ones, read by the functions the product uses.

`python -m tests.fuzz` runs them all, `python -m tests.fuzz dicom --from 1686 --cases 1` one. A case
is made from its kind and its number alone, so a failure is reproduced by naming it.

mutations.py    bytes in, bytes out: flips, cuts, splices, huge numbers
cells.py        the same for tables: cells, columns, types, encodings
kinds.py        the registry; beside it a file for each kind of file: its seeds, and how it is read
child.py        the process that reads one case after another, and measures each
runner.py       its parent: kills what takes too long, tells which case a dead child was at
"""
