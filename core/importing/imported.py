"""What a finished import made, and what it found no file for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Imported:
    """A finished import. Cells are (seed, sparsity) of a grid of all seeds and sparsities found."""

    folder: Path
    class_names: tuple[str, ...]
    n_cells: int
    n_new: int
    missing_seeds: tuple[int, ...]
    missing_sparsities: tuple[float, ...]
    missing_cells: tuple[tuple[int, float], ...]

    def __str__(self) -> str:
        lines = [
            f"{self.n_cells} cells of {len(self.class_names)} classes, {self.n_new} of them new: "
            f"{self.folder}"
        ]
        if self.missing_seeds:
            lines.append(f"No files for the seeds {', '.join(map(str, self.missing_seeds))}.")
        if self.missing_sparsities:
            shown = ", ".join(f"{sparsity:g}" for sparsity in self.missing_sparsities)
            lines.append(f"Of the paper's grid there are no files for the sparsities {shown}.")
        for seed, sparsity in self.missing_cells:
            lines.append(f"No file for seed {seed} at sparsity {sparsity:g}.")
        return "\n".join(lines)
