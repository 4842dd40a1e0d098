"""What the code does not say of itself: a sentence for each variable and parameter of an address.
`tools.reference.pages` puts these beside what the code does say.
"""

from __future__ import annotations

from core.study import environment

VARIABLES = {name: field.description or "" for name, field in environment.VARIABLES.items()}


def _section(page: str, title: str) -> tuple[str, str]:
    return page, f"`true`: the section *{title}* is open."


ADDRESS = {
    "study": ("every page of a study", "Name of the study, or its id where two share a name."),
    "metric": (
        "Class AP, Forgettability, Safe sparsity",
        "`ap`, `calibrated_ap`, `auroc` or `somers_d`. If none is named, Safe sparsity and the "
        "corrected reading of Class AP show Somers' D, and the paper's reading shows AP. The "
        "corrected reading of Forgettability always shows Somers' D.",
    ),
    "sparsity": ("Class AP, PIE browser", "In whole percent; a point of the study's grid."),
    "reading": ("Class AP, Forgettability", "`corrected` or `paper`."),
    "scale": ("Class AP", "`relative` (to dense) or `measured`."),
    "classes": ("Class AP, PIE browser", "Classes to name in the chart; labels to filter by."),
    "losses": _section("Class AP", "What each class has lost"),
    "operating": _section("Class AP", "Sensitivity, specificity and false alarms"),
    "rarity": _section("Class AP", "Do rare classes lose more?"),
    "summary": _section("Class AP", "Every class: when it is forgotten, and how sure that is"),
    "subgroup": (
        "Class AP, Forgettability, PIE browser",
        "Conditions that the test images in view meet, such as `sex:F,age:60-,view:PA`.",
    ),
    "by": (
        "Class AP, Forgettability, PIE browser",
        "With `is`, the old form of `subgroup`, which still works.",
    ),
    "is": ("Class AP, Forgettability, PIE browser", "The value of `by`."),
    "map": ("Forgettability", "`fcd`, `iou` (co-occurrence) or `frequency`: which map is shown."),
    "order": ("Forgettability", "`frequency` or `clustered`."),
    "first": ("Forgettability", "First class of the pair."),
    "second": ("Forgettability", "Second class of the pair."),
    "goes_with": _section("Forgettability", "What goes with being forgotten differently?"),
    "interaction": _section("Forgettability", "Do frequency and co-occurrence act together?"),
    "margin": ("Safe sparsity", "In percent of dense that may be lost."),
    "confidence": ("Safe sparsity", "In percent, one-sided."),
    "min_patients": (
        "Safe sparsity",
        "Classes with fewer patients in the test set are not judged.",
    ),
    "positives": ("Safe sparsity", "The old name of `min_patients`, which still works."),
    "groups": _section("Safe sparsity", "By group of classes"),
    "verdicts": _section("Safe sparsity", "Every verdict as a table"),
    "claims": _section("Overview", "The paper\u2019s claims, tested here"),
    "mean_ap": ("Overview", "`true` or `false`: whether mAP over sparsity is open."),
    "frequencies": _section("Overview", "How frequent each class is"),
    "facts": ("Overview", "`true` or `false`: whether what was run is open."),
    "tour": ("Overview", "`true` or `false`: whether the three pictures are open."),
    "definition": (
        "PIE browser",
        "Which images are PIEs: `paper`, `modal`, `z_score`, or `every` test image.",
    ),
    "finding": (
        "PIE browser",
        "Findings of which one must be lost or raised: classes, `any finding`, `any tail finding`, "
        "`any medium finding` or `any head finding`.",
    ),
    "fate": ("PIE browser", "`lost` or `raised`: what must have become of it."),
    "until": ("PIE browser", "By which sparsity, in whole percent; without it the grid's last."),
    "lost": ("PIE browser", "An old name of `finding`, which still works."),
    "group": ("PIE browser", "Groups of which a finding must be: `tail`, `medium`, `head`."),
    "findings": ("PIE browser", "Numbers of findings, `0` to `4+`."),
    "agreement": ("PIE browser", "Two values: the range of agreement."),
    "patient": ("PIE browser", "Patient ids, separated by commas."),
    "column": ("PIE browser", "A column of the labels, such as `view`."),
    "value": ("PIE browser", "Its value."),
    "raised": ("PIE browser", "An old name of `finding` with `fate=raised`, which still works."),
    "lost_by": ("PIE browser", "`rank` or `operating_point`: what counts as lost and raised."),
    "sort": (
        "PIE browser",
        "Order of the images: `findings` (also without it), `agreement`, `tail`, `lost`, `raised`, "
        "`most_findings`, `patient` or `test_order`.",
    ),
    "size": ("PIE browser", "Thumbnails: `small`, `medium` or `large`."),
    "page": ("PIE browser", "Page of the images, from 1."),
    "image": ("PIE browser", "Id of the image that is open."),
    "composition": _section("PIE browser", "What PIEs hold more of"),
    "similar": _section(
        "PIE browser", "X-rays of other patients with the most similar predictions"
    ),
    "upload": (
        "Analyse a checkpoint",
        "Id of the uploaded checkpoint; it works only for the person who sent it.",
    ),
    "dataset": ("Analyse a checkpoint", "Name of the dataset."),
    "own": ("Analyse a checkpoint", "Id of uploaded images that are not kept yet."),
    "look": ("Analyse a checkpoint", "Key of the preflight in view."),
    "grid": ("Analyse a checkpoint", "Sparsities of the study to start."),
    "sparsities": ("Analyse a checkpoint", "The same in percent, with `grid=others`."),
    "precision": ("Analyse a checkpoint", "`auto`, `fp32` or `bf16`."),
    "method": ("Analyse a checkpoint", "How weights are pruned."),
    "bad_images": ("Analyse a checkpoint", "What happens to images that cannot be read."),
    "name": ("Analyse a checkpoint", "Name of the study to start, where another was typed."),
    "job": ("Jobs", "Id of the job in view; without it the list."),
    "reader-study": ("Reader study, Reader results", "Name of the reader study."),
    "reader": ("Reader study", "Name of the reader, on a machine without sign-in."),
}
