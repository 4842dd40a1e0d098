"""What the code cannot say of itself: a sentence for each table, column, setting and variable.

`core.reference` puts these beside what the code does say. `tests/test_docs.py` compares them with
the tables of a real study, so none can be missing and none can be left over.
"""

from __future__ import annotations

from core.reference_columns import (
    CLASS,
    EXCESS,
    GROUP,
    INTERVAL,
    N_RUNS,
    RATIO,
    SPARSITY,
    Table,
)
from core.reference_evidence import EVIDENCE

TABLES = EVIDENCE | {
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
    "pies": Table(
        "Every test image, PIE or not, by four definitions, and what the operating point loses.",
        "a test image, in test-set order",
        {
            "image_id": "The image, as in the study's labels.",
            "agreement": "Spearman correlation over classes of the dense and the pruned ensemble's "
            "probabilities.",
            "is_pie": "Among the 5 % of lowest agreement (paper).",
            "n_modal_disagreements": "Classes whose majority label over runs differs between dense "
            "and pruned (Hooker et al.).",
            "is_pie_modal": "Whether there is any.",
            "modal_excess": "How many more classes' majority labels differ between halves of the "
            "dense and of the pruned runs than between halves of the dense ones.",
            "agreement_z": "How far the agreement lies below that of two sets of dense models; "
            "0 where pruning changed nothing; missing below 3 runs.",
            "agreement_dense_dense": "Agreement of single dense models, mean over pairs of runs.",
            "agreement_dense_pruned": "Agreement of a dense with a pruned model of another run, "
            "mean over the same pairs.",
            "rank_agreement": "`agreement` of the ensembles on ranks within class (share of the "
            "images certain not to carry the class that lie below), which no change common to all "
            "images of a class can move.",
            "is_pie_rank": "Among the 5 % of lowest `rank_agreement`.",
            "rank_agreement_dense_dense": "`agreement_dense_dense` on ranks within class.",
            "rank_agreement_dense_pruned": "`agreement_dense_pruned` on ranks within class: the "
            "5 % lowest of these two are the PIEs of `dense_ratio` and `pruned_ratio`.",
            "lost_at_sparsity": "Earliest of its labels, by the operating point.",
            "lost_classes": "The labelled classes lost by it anywhere on the grid, joined by |.",
        },
    ),
    "operating_points": Table(
        "The probability from which a class counts as found, fixed on validation images.",
        "a class",
        {
            **CLASS,
            "operating_point": "Smallest probability with the study's specificity below it.",
            "validation_specificity": "Share of validation images without the class below it.",
            "validation_sensitivity": "Share of those with the class that reach it.",
            "n_negatives": "Validation images certain not to carry the class.",
            "n_positives": "Validation images that carry it.",
            "n_runs": "Runs whose validation predictions were averaged.",
        },
    ),
    "operating_characteristics": Table(
        "How well each class is found at its operating point, and how often it is called in vain.",
        "a class, sparsity and operating point: the dense model's, or fixed again for the pruned",
        {
            **CLASS,
            **GROUP,
            **SPARSITY,
            "threshold": "`dense`: the operating point of the dense model; `re-fixed`: fixed again "
            "on validation for the model at this sparsity, at the same specificity. No such row "
            "where a run has no validation predictions of the sparsity.",
            "operating_point": "A class is called where the run-averaged probability reaches it.",
            "n_positive": "Test images that carry the class; uncertain labels are left out.",
            "n_positive_patients": "Patients of these images.",
            "n_negative": "Test images certain not to carry it.",
            "sensitivity": "Share of the images with the class that are called.",
            "sensitivity_ci_low": "Lower end of its 95 % interval over patients.",
            "sensitivity_ci_high": "Upper end of it.",
            "specificity": "Share of the images without the class that are not called.",
            "specificity_ci_low": "Lower end of its 95 % interval over patients.",
            "specificity_ci_high": "Upper end of it.",
            "alerts_per_100": "Of 100 test images with a certain label, those that are called.",
            "alerts_ci_low": "Lower end of its 95 % interval over patients.",
            "alerts_ci_high": "Upper end of it.",
            "n_lost": "Images with the class, called when dense, and from this sparsity or a "
            "smaller one on, to the end of the grid, not called.",
            "n_raised": "Images without the class, not called when dense, and from this sparsity "
            "or a smaller one on, to the end of the grid, called.",
            "unstable": "True below 10 of `n_positive_patients`: read with care.",
        },
    ),
    "lost_findings": Table(
        "Every finding that pruning takes from an image, in both senses.",
        "an image and class that is lost, by the operating point or by rank",
        {
            "image_id": "The image, as in the study's labels.",
            **CLASS,
            "labelled": "Whether the image is labelled with it; missing where uncertain.",
            "lost_by": "What it is lost by: `Operating point` or `Rank`.",
            "lost_at_sparsity": "The sparsity from which on the run-averaged probability (or its "
            "rank) stays below what counts as found, though dense reaches it.",
            "n_runs_lost": "Of `n_runs_had` those below the operating point there; missing by "
            "rank, which is of the mean over runs.",
            "n_runs_had": "Runs that had the finding: their own dense probability reaches the "
            "operating point; missing by rank.",
            "n_runs": "Runs that are finished there.",
        },
    ),
    "raised_findings": Table(
        "Every false alarm that pruning adds: a finding called on an image that does not have it.",
        "an image and class that is raised, by the operating point or by rank",
        {
            "image_id": "The image, as in the study's labels.",
            "class_name": "A class that the image is certain not to carry.",
            "raised_by": "What it is raised by: `Operating point` or `Rank`.",
            "raised_at_sparsity": "The sparsity from which on, to the end of the grid, the "
            "run-averaged probability (or its rank) reaches what counts as found, though dense "
            "does not.",
            "n_runs_raised": "Of `n_runs_lacked` those that reach the operating point there; "
            "missing by rank, which is of the mean over runs.",
            "n_runs_lacked": "Runs whose own dense probability is below the operating point; "
            "missing by rank.",
            "n_runs": "Runs that are finished there.",
        },
    ),
    "pie_class_ratio": Table(
        "Which findings PIEs hold more of.",
        "a finding",
        {**CLASS, **RATIO, **EXCESS},
    ),
    "pie_finding_count_ratio": Table(
        "Whether PIEs have more findings.",
        "a number of findings",
        {"finding_count": "0, 1, 2, 3 or 4+ certain findings.", **RATIO, **EXCESS},
    ),
    "pie_label_noise": Table(
        "Whether PIEs hold more wrong labels, where that is known: phantoms record it.",
        "all images, those with a finding, those without",
        {
            "images": "Which images the row is of.",
            "n_pie": "PIEs.",
            "n_pie_wrong": "PIEs with at least one wrong label.",
            "n_non_pie": "Other test images.",
            "n_non_pie_wrong": "Those with at least one wrong label.",
            "pie_share": "`n_pie_wrong` over `n_pie`.",
            "non_pie_share": "`n_non_pie_wrong` over `n_non_pie`.",
            "ratio": "`pie_share` over `non_pie_share`.",
            "ci_low": "Lower end of its 95 % bootstrap interval over patients.",
            "ci_high": "Upper end of it.",
            "n_wrong_patients": "Patients with an image with a wrong label.",
            **EXCESS,
        },
    ),
    "pie_quality": Table(
        "Whether PIEs are worse images.",
        "a measure of image quality",
        {
            "measure": "blur, brightness, contrast, entropy, black_share or white_share.",
            "n_pie": "PIEs that could be measured.",
            "n_non_pie": "Other test images that could be.",
            "pie_median": "Median of the PIEs.",
            "non_pie_median": "Median of the others.",
            "difference": "P(PIE larger) - P(PIE smaller) of a random PIE and another image: "
            "-1 to 1, 0 for no difference.",
            "ci_low": "Lower end of its 95 % bootstrap interval over patients.",
            "ci_high": "Upper end of it.",
            "p": "Two-sided p-value of the difference.",
            "q": "Benjamini-Hochberg of `p` over the measures.",
            "pruned_difference": "The difference for PIEs of single pruned against single dense "
            "models of other runs, by ranks within class.",
            "pruned_ci_low": "Lower end of its 95 % interval over runs and patients, PIEs found "
            "again in each draw.",
            "pruned_ci_high": "Upper end of it.",
            "dense_difference": "The same of dense against dense models.",
            "difference_of_differences": "`pruned_difference` minus `dense_difference`: 0 where "
            "pruning adds nothing (corrected).",
            "dod_ci_low": "Lower end of its 95 % interval over runs and patients.",
            "dod_ci_high": "Upper end of it.",
            "dod_p": "Two-sided p-value that it is 0. All of these are missing below 3 runs.",
            "dod_q": "Benjamini-Hochberg of `dod_p` over the measures.",
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

SECTIONS = {
    "study": "What people call it.",
    "dataset": "Which images and labels. `kind` decides which further settings there are.",
    "model": "The network.",
    "training": "How each run is trained. Not used of a given checkpoint.",
    "runs": "How many trainings.",
    "pruning": "How weights are chosen.",
    "sweep": "At which sparsities it is looked at.",
    "groups": "What counts as head and as tail.",
    "operating_point": "From where on a finding counts as found. May be changed at any time.",
    "checkpoint": "A trained network that was given; `prunescope analyze` writes this section.",
}
KINDS = {
    "phantom": "Synthetic X-rays, drawn by code when a study first needs them.",
    "nih-cxr14": "NIH ChestX-ray14, or any part of it.",
    "cxr-lt": "NIH-CXR-LT and MIMIC-CXR-LT, the datasets of the paper.",
    "table": "Your own images with a CSV or Parquet file of labels.",
    "imported": "Predictions made elsewhere; `prunescope import-predictions` writes this kind.",
}
# By section and name; those of a dataset kind by `dataset.<kind>` where it has them alone.
SETTINGS = {
    "study.name": "How the study is called everywhere.",
    "study.title": "What pages show above it.",
    "dataset.images": "Folder of the images.",
    "dataset.labels": "File, or for `cxr-lt` folder, of the labels.",
    "dataset.on_bad_image": "A missing or broken image ends the work, or is left out and listed.",
    "dataset.split_seed": "Seed by which patients are divided, where the data brings no split.",
    "dataset.validation_share": "Share of patients for validation then.",
    "dataset.test_share": "Share of patients for testing then.",
    "dataset.n_patients": "How many synthetic patients.",
    "dataset.seed": "Seed of everything drawn.",
    "dataset.wrong_label_share": "Share of labels made wrong on purpose, and recorded.",
    "dataset.size": "Side of a drawn image in pixels.",
    "dataset.train_list": "The official `train_val_list.txt`.",
    "dataset.test_list": "The official `test_list.txt`.",
    "dataset.name": "Which published dataset.",
    "dataset.architecture": "What the files of predictions call the network.",
    "dataset.image_column": "Column of paths below `images`; they are the image ids.",
    "dataset.patient_column": "Column of patients. By default `patient_id`, PatientID, subject_id "
    "or another known name, else the patient's folder in the path.",
    "dataset.split_column": "Column of train, val or validation, test; `split` if there is one.",
    "dataset.class_columns": "Columns of 1, 0, and -1 or blank for uncertain.",
    "dataset.joined_column": 'In their place, one column of class names, "Mass|Nodule".',
    "dataset.joined_by": "What divides the names in `joined_column`. By default found out: a bar, "
    "the text of a list, a semicolon, a line end, a tab or a comma.",
    "dataset.blank": "What a blank in a class column means. By default uncertain, and negative in "
    "a table with CheXpert's columns, as its authors mean it.",
    "model.architecture": "The network; `other` is for imported predictions alone.",
    "model.weights": "Where training starts from.",
    "model.image_size": "Side in pixels to which images are resized.",
    "model.channels": "What the first convolution takes; 1 only of checkpoints of grey images.",
    "training.epochs": "At most so many passes over the training images.",
    "training.patience": "Passes without a lower validation loss before training ends.",
    "training.batch_size": "Images a step.",
    "training.learning_rate": "Of Adam.",
    "training.flip": "Whether images are mirrored at random.",
    "training.rotation_degrees": "Random rotation, up to so many degrees either way.",
    "runs.count": "How many runs; they differ by seed only.",
    "runs.first_seed": "Seed of the first; the next have the next.",
    "pruning.method": "Smallest weights first, over all layers together, or at random.",
    "sweep.sparsities": "Whole percents as fractions, rising from 0 (dense), below 1.",
    "sweep.precision": "Of the arithmetic; bf16 is faster and moves probabilities by about 0.01.",
    "sweep.batch_size": "Images at once; changes speed and memory only.",
    "groups.head_above": "Classes in a larger share of training images are head.",
    "groups.tail_below": "Classes in a smaller share are tail.",
    "operating_point.specificity": "Share of validation images without a class that lie below its "
    "operating point.",
    "checkpoint.path": "Where the file lay; it is not needed any more.",
    "checkpoint.sha256": "Digest of the file, which decides what it is.",
    "checkpoint.classes": "The dataset's class of each output, empty for none.",
    "checkpoint.preprocessing": "How 8-bit grey becomes what the network was trained on.",
}

VARIABLES = {
    "PRUNESCOPE_CACHE": "Folder of everything a run writes; `cache` in the working directory if "
    "not set. Back it up, and let nobody else read it.",
    "PRUNESCOPE_JOBS_DATABASE": "Database of background jobs, such as "
    "`postgresql://user:password@host:5432/prunescope`; SQLite in the cache folder if not set.",
    "PRUNESCOPE_READER_DATABASE": "Database of readers' answers, in the same form; SQLite in the "
    "cache folder if not set.",
    "PRUNESCOPE_ROLES": "TOML file of who may do what; see [Deploy with sign-in]"
    "(../how-to/deploy.md). Read anew for every request.",
    "PRUNESCOPE_SHIPPED": "Folder of finished studies, laid out like the cache folder; "
    "`prunescope serve` copies them there once. The Docker image sets it.",
    "PRUNESCOPE_UPLOAD_LIMIT": "Largest file to upload, such as `500M` or `4G`; 2 GB if not set.",
    "PRUNESCOPE_ROLE_CLAIM": "Claim of the ID token that holds a role; a dot goes a level deeper.",
}

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
