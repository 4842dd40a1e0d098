"""What the code cannot say of itself: a sentence for each table, column and variable.

`tools.reference.pages` puts these beside what the code does say. `tests/test_docs.py` compares
them with the tables of a real study, so none can be missing and none can be left over.
"""

from __future__ import annotations

from core.study import environment
from tools.reference.columns import CLASS, GROUP, INTERVAL, N_RUNS, SPARSITY, Table
from tools.reference.evidence import EVIDENCE
from tools.reference.images import IMAGES

TABLES = {
    **EVIDENCE,
    **IMAGES,
    "class_metrics": Table(
        "How well each run recognises each class at each sparsity.",
        "a run, sparsity and class",
        {
            "run": "Number of the run, from 0; runs differ by seed alone.",
            **SPARSITY,
            **CLASS,
            "n_positive": "Test images that carry the class.",
            "ap": "Average precision; missing where no test image carries the class.",
            "auroc": "Area under the ROC curve; missing where only one kind of image is there.",
            "calibrated_ap": "AP with precision restated at a prevalence of 5 %.",
            "somers_d": "Somers' D, 2 AUROC - 1: 0 for a model that knows nothing, 1 for one that "
            "ranks perfectly.",
        },
    ),
    "class_frequencies": Table(
        "How long the tail is.",
        "a class, the most frequent in training first",
        {
            **CLASS,
            **GROUP,
            "train_frequency": "Share of the training images that carry the class.",
            "train_positives": "Number of them.",
            "test_frequency": "Share of the test images that carry the class.",
            "test_positives": "Number of them.",
            "test_positive_patients": "Patients with a test image that carries the class.",
        },
    ),
    "achieved_sparsity": Table(
        "Where the zeros are: how much of each layer was pruned.",
        "a run, sparsity and layer, and one for each output of the classifier",
        {
            "run": "Number of the run.",
            **SPARSITY,
            "layer": "`overall`, or the name of a weight tensor.",
            "row": "Output of the classifier, counted from 0; missing for whole layers.",
            "n_weights": "Prunable weights in it.",
            "n_zero": "How many of them are zero.",
            "achieved_sparsity": "`n_zero` over `n_weights`.",
        },
    ),
    "overall": Table(
        "Mean AP against sparsity, and from where on it is significantly below dense.",
        "a sparsity",
        {
            **SPARSITY,
            **N_RUNS,
            "mean_ap": "Mean over runs of mAP.",
            "median_ap": "Median over runs of mAP (what the paper plots).",
            **INTERVAL,
            "difference": "Mean over runs of mAP pruned minus dense of the same run.",
            "difference_ci_low": "Lower end of its 95 % interval.",
            "difference_ci_high": "Upper end of it.",
            "interval_over": "`runs and patients`; `runs` on a page that shows a subgroup.",
            "welch_p": "Welch's t test against dense, each sparsity by itself (paper).",
            "paired_p": "t test of the paired differences in fixed sequence: the largest p from "
            "the highest sparsity down to this one; 1 where mAP is not below dense (corrected).",
            "paired_p_raw": "t test of the paired differences at this sparsity by itself.",
            "first_significant_paper": "The first sparsity below dense with `welch_p` < 0.05.",
            "first_significant_corrected": "The first one with `paired_p` < 0.05: mAP is "
            "significantly below dense from there on.",
        },
    ),
    "safe_sparsity": Table(
        "Whether each class stays as good as dense: by ranking within 10 % (a test of "
        "non-inferiority), by decisions within 5 percentage points.",
        "a class and sparsity above 0",
        {
            **CLASS,
            **GROUP,
            "n_positive": "Test images that carry the class.",
            "n_positive_patients": "Patients of these images.",
            **SPARSITY,
            "dense": "Mean Somers' D, or other metric, over runs of the dense models.",
            "pruned": "The same of the pruned models.",
            "relative_change": "`pruned` over `dense`, minus 1.",
            "ci_low": "One-sided 95 % lower bound of it.",
            "ci_high": "One-sided 95 % upper bound of it.",
            "smallest_margin": "The smallest margin at which the class would be safe here; missing "
            "where it is not judged.",
            "unsafe_p": "That the loss is no more than the margin: one-sided p, in fixed sequence "
            "from the highest sparsity down, times the number of classes (Bonferroni).",
            "verdict": "`safe`, `unsafe` or `cannot tell`, by ranking.",
            "reason": "Why.",
            "safe_so_far": "Safe here and at every smaller sparsity.",
            "chance_passes": "A classifier that knows nothing would pass too: `safe` says little.",
            **N_RUNS,
            "interval_over": "`patients`, or `runs and patients`.",
            "operating_threshold": "`re-fixed`: the operating point is fixed again on validation "
            "for the pruned model. `dense`: it is the dense model's. This and what follows is "
            "missing where the study has no operating points.",
            "sensitivity_change": "Sensitivity at it minus that of the dense model at its own.",
            "sensitivity_change_low": "Conservative one-sided 97.5 % lower bound of it (MOVER).",
            "specificity_change": "The same of specificity.",
            "specificity_change_low": "Its lower bound.",
            "operating_verdict": "`safe`, `unsafe` or `cannot tell`, by decisions.",
        },
    ),
}

# Of no study: a page gives them, and no command.
PAGE_TABLES = {
    "jobs": Table(
        "On Jobs: the background jobs whose studies you may see, newest first.",
        "an attempt at a study",
        {
            "job": "Id of the job.",
            "study_id": "Id of its study.",
            "study": "Name of the study.",
            "title": "What its study file calls it.",
            "attempt": "Number of the attempt, from 1.",
            "status": "`queued`, `running`, `interrupted`, `finished`, `failed` or `cancelled`.",
            "submitted_by": "E-mail address, or `local:` and the account of a terminal.",
            "submitted": "When, in UTC.",
            "started": "When a worker took it up.",
            "ended": "When it came to its end.",
            "error": "Why it failed, in a sentence.",
        },
    ),
    "audit_log": Table(
        "On Administration: the whole audit log, newest first; its own export is in it.",
        "what somebody did",
        {
            "when": "In UTC.",
            "who": "E-mail address; empty where nobody was signed in.",
            "what": "Such as `sign-in`, `x-ray opened`, `export` or `deletion`.",
            "about": "A JSON object: of which study, image, table and so on.",
        },
    ),
}

VARIABLES = {name: field.description or "" for name, field in environment.VARIABLES.items()}

ADDRESS = {
    "study": ("every page of a study", "Name of the study, or its id where two share a name."),
    "metric": (
        "Class AP, Forgettability, Safe sparsity",
        "`AP`, `Calibrated AP`, `AUROC` or `Somers' D`. If none is named, Safe sparsity and the "
        "corrected reading of Class AP show Somers' D, and the paper's reading shows AP. The "
        "corrected reading of Forgettability always shows Somers' D.",
    ),
    "sparsity": ("Class AP, PIE browser", "In whole percent; a point of the study's grid."),
    "reading": ("Class AP, Forgettability", "`Corrected` or `Paper`."),
    "scale": ("Class AP", "`Relative to dense` or `As measured`."),
    "classes": ("Class AP, PIE browser", "Classes to name in the chart; labels to filter by."),
    "losses": ("Class AP", "`true`: the table of losses is open."),
    "operating": ("Class AP", "`true`: the table of sensitivity and specificity is open."),
    "by": ("Class AP, Forgettability", "What the test images are divided by, such as `view`."),
    "is": ("Class AP, Forgettability", "Which part of them, such as `PA`."),
    "order": ("Forgettability", "`Frequency` or `Clustered`."),
    "first": ("Forgettability", "First class of the pair."),
    "second": ("Forgettability", "Second class of the pair."),
    "margin": ("Safe sparsity", "In percent of dense that may be lost."),
    "confidence": ("Safe sparsity", "In percent, one-sided."),
    "min_patients": (
        "Safe sparsity",
        "Classes with fewer patients in the test set are not judged.",
    ),
    "positives": ("Safe sparsity", "The old name of `min_patients`, which still works."),
    "tour": ("Overview", "`true` or `false`: whether the three pictures are open."),
    "definition": ("PIE browser", "Which images are PIEs, as its switch says."),
    "lost": ("PIE browser", "Labels of which one is lost by the sparsity."),
    "group": ("PIE browser", "Groups of which a finding must be: `tail`, `medium`, `head`."),
    "findings": ("PIE browser", "Numbers of findings, `0` to `4+`."),
    "agreement": ("PIE browser", "Two values: the range of agreement."),
    "patient": ("PIE browser", "Patient ids, divided by commas."),
    "column": ("PIE browser", "A column of the labels, such as `view`."),
    "value": ("PIE browser", "Its value."),
    "raised": ("PIE browser", "Findings of which one is raised by the sparsity, and no label."),
    "lost_by": ("PIE browser", "`Operating point` or `Rank`: what counts as lost and raised."),
    "sort": ("PIE browser", "Order of the images, as its switch says; `Findings` without it."),
    "size": ("PIE browser", "Thumbnails: `Small`, `Medium` or `Large`."),
    "page": ("PIE browser", "Page of the images, from 1."),
    "image": ("PIE browser", "Id of the image that is open."),
    "composition": ("PIE browser", "`true`: what PIEs hold more of is open."),
    "upload": ("Analyse a checkpoint", "Id of the uploaded checkpoint; of use to who sent it."),
    "dataset": ("Analyse a checkpoint", "Name of the dataset."),
    "own": ("Analyse a checkpoint", "Id of uploaded images that are not kept yet."),
    "look": ("Analyse a checkpoint", "Key of the preflight in view."),
    "grid": ("Analyse a checkpoint", "Sparsities of the study to start."),
    "precision": ("Analyse a checkpoint", "`fp32` or `bf16`."),
    "method": ("Analyse a checkpoint", "How weights are pruned."),
    "name": ("Analyse a checkpoint", "Name of the study to start, where another was typed."),
    "job": ("Jobs", "Id of the job in view; without it the list."),
    "reader-study": ("Reader study, Reader results", "Name of the reader study."),
}
