"""Orders in which the outputs of many published networks are, for files that name no classes."""

from __future__ import annotations

from core.checkpoints.mapping import XRV_CLASSES, in_words_of
from core.checkpoints.preflight import Outputs
from core.datasets.classes import class_list, class_lists
from core.study.labels import NO_FINDING


def known_orders(outputs: Outputs) -> dict[str, tuple[str, ...]]:
    """The dataset's class of each output ("" without one) by the name of a list as long as there
    are outputs; only where the dataset has some of its classes."""
    lists: dict[str, tuple[str, ...]] = {"torchxrayvision": XRV_CLASSES}
    for name in class_lists():
        lists[name] = class_list(name)
        lists[f"{name}, without {NO_FINDING}"] = tuple(
            one for one in lists[name] if one != NO_FINDING
        )
    found = {
        name: in_words_of(outputs.dataset_classes, names)
        for name, names in lists.items()
        if len(names) == outputs.n_outputs
    }
    return {name: classes for name, classes in found.items() if any(classes)}
