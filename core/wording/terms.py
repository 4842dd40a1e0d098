"""What the words of the field mean, in a sentence each, and which of them each page uses.

The words and their meanings are those of the documentation; thresholds that a study may set are in
the page's own legends.
"""

from __future__ import annotations

TERMS = {
    "sparsity": "Share of the prunable weights, those of every Conv2d and Linear layer, "
    "attention's included, that are zero.",
    "dense": "The model as it was trained: sparsity 0.",
    "run": "One training. Runs differ by their random seed only.",
    "AP": "Average precision of a class, from 0 to 1. By chance it is the class's prevalence, so "
    "that of a rare class is low and of a frequent one high.",
    "mAP": "Mean of AP over the classes that have one.",
    "calibrated AP": "AP with precision restated at a prevalence of 5 %, the same for every class. "
    "By chance it is 0.05 where positives are many, and more where they are few: 0.16, 0.10 and "
    "0.07 with 1, 3 and 10 of them.",
    "Somers\u2019 D": "2 AUROC \u2212 1. By chance 0 for every class, however few its positives: "
    "rare and frequent classes can be compared by it.",
    "AUROC": "Area under the ROC curve: the chance that an image with the class gets a higher "
    "probability than one without it. 0.5 by chance.",
    "head, medium, tail": "Classes by their share of the training images: frequent, between, rare.",
    "forgettability curve": "Change of a class's metric against dense, as a share of dense, over "
    "sparsity: the median over runs (paper), or the ratio of means (corrected).",
    "first drop": "The sparsity at which the forgettability curve falls below \u221220 %: read "
    "between grid points (corrected), or the first grid point below it (paper).",
    "onset": "The sparsity at which a fifth of a class's Somers\u2019 D is gone, on a curve that "
    "never rises: read between grid points at most 10 points apart, else only the grid point by "
    "which it is gone.",
    "forgotten first": "The classes that are among the first three to lose a fifth of their "
    "Somers\u2019 D with at least 90 % probability, over draws of runs and patients.",
    "interval over runs and patients": "Over repeated studies with other trainings and patients, "
    "95 of 100 such intervals contain the true value.",
    "judged": "A class with at least 10 patients in the test set that the dense model finds.",
    "FCD": "Forgettability curve dissimilarity: how far apart the curves of two classes are. "
    "Corrected: without what noise adds, so 0 is within noise.",
    "told apart": "Two classes whose losses differ by more than the error of that difference.",
    "co-occurrence IoU": "Images with both classes over images with either. 0: never together.",
    "PIE": "Pruning-identified exemplar: one of the 5 % of test images on which the pruned model "
    "agrees least with the dense one.",
    "agreement": "Spearman's rank correlation, over the classes of one image, of the dense and the "
    "pruned model's probabilities (means over runs). 1: the same order.",
    "operating point": "The probability from which a finding counts as found, fixed on validation "
    "images at one specificity for all classes, by the dense model.",
    "lost, raised": "A labelled finding is lost if the dense model calls it and the pruned model, "
    "from some sparsity to the end of the grid, does not. A finding that the "
    "image does not have is raised if the pruned model calls it from some "
    "sparsity on and the dense model does not: a false alarm. Called: at the "
    "operating point, or by rank.",
    "safe sparsity": "The largest sparsity up to which every class judged is shown to lose no "
    "more than the margin, with the chosen confidence.",
    "margin": "The largest loss that still counts as being as good as dense, as a share of dense.",
    "by ranking, by decisions": "By ranking: whether images with the class still get higher "
    "probabilities than those without. By decisions: whether sensitivity and specificity at an "
    "operating point stay within 5 percentage points of dense.",
    "test patients": "Patients in the test set with an image that carries the class.",
    "test positives": "Test images that carry the class. If they come from fewer than 10 "
    "patients, its numbers are unstable: shown, and marked.",
    "paper, corrected": "Paper: the statistic as published. Corrected: the one we recommend; "
    "Statistics in the documentation says why.",
    "points": "Percentage points: 30 % is 10 points more than 20 %.",
    "p and q": "p: how often chance would give as much. q: p corrected after Benjamini and "
    "Hochberg, because many classes are tested together.",
    "preflight": "A look at the file before anything runs: what it is, and whether it fits the "
    "dataset.",
    "reading": "One reader's answers about one image.",
}
OF_PAGE = {
    "Overview": (
        "sparsity", "dense", "run", "Somers\u2019 D", "forgotten first", "judged",
        "interval over runs and patients", "points", "paper, corrected", "head, medium, tail",
        "AP", "mAP", "FCD", "PIE",
    ),
    "Class AP": (
        "AP", "calibrated AP", "AUROC", "Somers\u2019 D", "sparsity", "dense", "paper, corrected",
        "forgettability curve", "onset", "first drop", "forgotten first", "judged",
        "interval over runs and patients", "points", "head, medium, tail", "test positives",
        "p and q", "operating point",
    ),
    "Forgettability": (
        "forgettability curve", "FCD", "told apart", "judged", "co-occurrence IoU", "AP",
        "calibrated AP", "AUROC", "Somers\u2019 D", "points", "paper, corrected",
        "head, medium, tail", "test positives", "run",
    ),
    "Safe sparsity": (
        "sparsity", "dense", "safe sparsity", "margin", "by ranking, by decisions",
        "operating point", "test patients", "Somers\u2019 D", "AP", "calibrated AP", "AUROC",
        "head, medium, tail",
    ),
    "PIE browser": (
        "PIE", "agreement", "sparsity", "dense", "lost, raised", "operating point",
        "head, medium, tail", "run",
    ),
    "Reader results": ("PIE", "reading", "sparsity", "paper, corrected", "p and q"),
}  # fmt: skip
METRICS = {
    metric: f"{name[0].upper()}{name[1:]}: {TERMS[name]}"
    for metric, name in {
        "ap": "AP",
        "calibrated_ap": "calibrated AP",
        "auroc": "AUROC",
        "somers_d": "Somers\u2019 D",
    }.items()
}
