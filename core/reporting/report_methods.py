"""The methods table of the report: formulas in words, the paper's beside the corrected ones."""

from __future__ import annotations

from core.study.config import StudyConfig
from core.study.known_settings import is_known

NOTHING = "\u2013"
Method = tuple[str, str, str]


def methods(config: StudyConfig) -> tuple[Method, ...]:
    """What, paper-compatible, corrected; of the study's own pruning only what is known."""
    if is_known(config, "pruning.method"):
        return METHODS
    return (IMPORTED, *METHODS[1:])


IMPORTED = (
    "Training and pruning",
    "Not known: the predictions were made elsewhere and imported. Seeds and sparsities are those "
    "of the files' names.",
    "The same.",
)
METHODS = (
    (
        "Pruning",
        "One-shot from the dense weights at each sparsity: the study's method sets the given share "
        "of all weights of Conv2d and Linear layers together, attention's included, to 0. No "
        "retraining.",
        "The same.",
    ),
    (
        "AP",
        "Sum over thresholds of the step in recall times precision; uncertain labels left out of "
        "that class; no value without a positive. It cannot fall below the class's prevalence, so "
        "rare classes can lose a larger share.",
        "Calibrated AP: precision restated at a prevalence of 5 % for every class (Siblini et al., "
        "IDA 2020). By chance it lies above 0.05 where positives are few: 0.16, 0.10 and 0.07 with "
        "1, 3 and 10. Somers' D, 2 AUROC - 1, has the floor 0 for every class and carries "
        "comparisons.",
    ),
    (
        "Forgettability curve",
        "Median over runs of (AP pruned minus AP dense) over AP dense, per sparsity.",
        "Mean Somers' D of the pruned models over that of the dense ones, minus 1; interval over "
        "runs and patients.",
    ),
    (
        "First drop, onset",
        "Smallest sparsity of the grid at which the curve lies below minus 20 %; classes that "
        "never do are left out.",
        "Where the curve that never rises and lies nearest crosses minus 20 %; interval, and "
        "probability of being among the first three, over draws of runs and patients.",
    ),
    (
        "Trends over classes",
        "Pearson's correlation; every class counts the same.",
        "Meta-regression: each class weighs by its own error; restricted maximum likelihood, "
        "interval after Knapp and Hartung.",
    ),
    (
        "First significant drop of mAP",
        "Welch's t test of mAP over runs against dense, p < 0.05, each sparsity by itself.",
        "t test of the differences paired by run, from the highest sparsity down to the first that "
        "is not significant.",
    ),
    (
        "FCD",
        "Euclidean distance of two curves over sparsities above 0; it grows with the grid.",
        "Root mean square of the differences of Somers' D, less what noise is expected to "
        "add; 0 is within noise. Pairs are told apart by a t test over runs and patients, "
        "Benjamini-Hochberg.",
    ),
    (
        "Frequency difference and co-occurrence of two classes",
        "Class counts are column sums of the co-occurrence matrix, so that an image counts once "
        "for each of its labels; two identical classes have an IoU of 1/3.",
        "Class counts are numbers of images; IoU is images with both over images with either; two "
        "identical classes have 1.",
    ),
    (
        "p-values over pairs of classes",
        "Pearson's and the regression's, which take pairs as independent.",
        "Least squares with a term for the noise of each pair, compared with classes dealt out "
        "again with their own noise; 98 % interval. Against co-occurrence no test keeps its error "
        "rate, so there is none.",
    ),
    (
        "PIEs",
        "The 5 % of test images with the lowest Spearman correlation, over classes, of the "
        "probabilities of the dense and the pruned model, averaged over runs.",
        "What PIEs hold more of: PIEs of single pruned against single dense models, by ranks "
        "within class, over the same of dense against dense models. Interval over runs and "
        "patients (pigeonhole bootstrap, normal on the logarithm). The plain ratios have bootstrap "
        "intervals over patients.",
    ),
    (
        "Sensitivity and specificity",
        "Not in the paper.",
        "Of the run-averaged model, at operating points fixed on validation images: the dense "
        "model's, and points fixed again for each pruned model. Wilson's intervals with an "
        "effective number of images, since the images of a patient are alike.",
    ),
    (
        "Safe sparsity, by ranking",
        "Not in the paper.",
        "Non-inferiority: the one-sided 95 % lower bound of mean Somers' D pruned over mean "
        "Somers' D dense, minus 1, lies above minus 10 %, for every class judged, at this sparsity "
        "and every smaller one. Judged: at least 10 patients of the test set have the class, and "
        "the dense model's lower bound lies above chance. Bounds are over runs and patients "
        "(infinitesimal jackknife), Student's t at Satterthwaite's degrees of freedom. Safe needs "
        "no correction, since every class must pass. Unsafe is corrected: Bonferroni over classes, "
        "fixed sequence from the highest sparsity down.",
    ),
    (
        "Safe sparsity, by decisions",
        "Not in the paper.",
        "The lower bounds of the changes of sensitivity and of specificity both lie above minus 5 "
        "percentage points, at the dense model's thresholds and at thresholds fixed again. Bounds "
        "over patients, of the two models as if independent (MOVER, Zou and Donner 2008).",
    ),
    (
        "Intervals",
        NOTHING,
        "Differences are paired by run. Of classes, pairs and mAP: over runs and patients, "
        "Student's t at Satterthwaite's degrees of freedom, never narrower than over runs or over "
        "patients. With one run: over patients only. Of sensitivity and specificity, and of the "
        "plain ratios of PIEs: over patients. Bands of the paper's charts are quartiles over "
        "runs.",
    ),
)
