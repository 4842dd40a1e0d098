"""What pruning changes about one image, class by class."""

from __future__ import annotations

import numpy as np
import pandas as pd


def image_change(
    curves: pd.DataFrame, labels: dict[str, bool | None], sparsity: float
) -> pd.DataFrame:
    """class_name, label (yes, no, missing), dense, pruned, change, dense_rank, pruned_rank (the
    image's among the test images without the class, `core.analysis.ranks`) and class_place (the
    class's within the image, dense and pruned in one text; 1 is the most probable class, ties share
    the mean) of one image, the largest change first.

    curves: `image_curves.curves_table`, of which the mean over runs is taken. labels: `labels_of`.
    """
    means, ranks = (
        curves.pivot(index="class_name", columns="sparsity", values=column)
        for column in ("mean", "rank")
    )
    names = [name for name in labels if name in means.index]
    pruned = means.columns[np.abs(means.columns.to_numpy(float) - sparsity).argmin()]
    table = pd.DataFrame(
        {
            "class_name": names,
            "label": [{True: "yes", False: "no", None: None}[labels[name]] for name in names],
            "dense": means.loc[names, means.columns[0]].to_numpy(float),
            "pruned": means.loc[names, pruned].to_numpy(float),
            "dense_rank": ranks.loc[names, means.columns[0]].to_numpy(float),
            "pruned_rank": ranks.loc[names, pruned].to_numpy(float),
        }
    )
    table["change"] = table["pruned"] - table["dense"]
    places = table[["dense", "pruned"]].rank(ascending=False).to_numpy()
    table["class_place"] = [f"{dense:g} \u2192 {pruned:g}" for dense, pruned in places]
    order = table["change"].abs().sort_values(ascending=False, kind="stable").index
    return table.loc[order].reset_index(drop=True)
