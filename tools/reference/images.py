"""What the tables about test images, their operating points and PIEs mean, column by column."""

from __future__ import annotations

from tools.reference.columns import CLASS, EXCESS, GROUP, RATIO, SPARSITY, Table

IMAGES = {
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
