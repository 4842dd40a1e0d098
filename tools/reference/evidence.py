"""The tables of what is forgotten and what may be concluded of it, in words."""

from __future__ import annotations

from tools.reference.columns import CLASS, GROUP, N_RUNS, SPARSITY, Table

OVER = (
    "`runs and patients`; `patients` of one run; `runs` on a page that shows a subgroup, whose "
    "predictions are not read again"
)
TREND = {
    "slope": "Of the meta-regression: by how much more y is where x is one more.",
    "ci_low": "Lower end of its 95 % interval (Student, Knapp-Hartung).",
    "ci_high": "Upper end of it.",
    "p_value": "Two-sided p of a slope of 0.",
    "intercept": "Of the line at x = 0.",
    "tau": "How far classes lie from the line for reasons of their own: a standard deviation.",
    "reason": "Why it carries no verdict; empty where it does.",
}
EVIDENCE = {
    "forgettability": Table(
        "The forgettability curves.",
        "a class and sparsity",
        {
            **CLASS,
            **SPARSITY,
            "relative_ap_change": "Median over runs of (metric pruned - dense) / dense (paper).",
            "lowest": "Lowest of these over the runs.",
            "highest": "Highest of them.",
            "mean_change": "Mean pruned over mean dense, minus 1, over the runs (corrected).",
            "ci_low": "Lower end of its 95 % interval; missing below 5 patients with the class.",
            "ci_high": "Upper end of it.",
            "interval_over": f"What the interval is over: {OVER}.",
            **N_RUNS,
        },
    ),
    "class_summary": Table(
        "When each class is first forgotten, and what is left of it at 95 % sparsity.",
        "a class",
        {
            **CLASS,
            **GROUP,
            "train_frequency": "Share of the training images that carry the class.",
            "test_frequency": "Share of the test images that carry the class.",
            "n_positive": "Test images that carry the class.",
            "n_positive_patients": "Patients of these images.",
            "onset": "Sparsity at which a fifth of Somers' D is gone, on the curve that never "
            "rises nearest to the mean over runs (corrected).",
            "onset_ci_low": "Lower end of its 95 % interval over runs and patients.",
            "onset_ci_high": "Upper end of it; missing where it lies beyond the grid.",
            "onset_censored": "True where the onset lies beyond the end of the grid.",
            "p_among_first": "Probability, over draws of runs and patients, that the class is "
            "among the first three of the judged classes to lose a fifth (corrected).",
            "judged": "True where at least 10 patients have the class and the dense model finds "
            "it: only of these something is concluded.",
            "first_drop_sparsity": "Smallest sparsity of the grid with the metric's curve below "
            "-20 %; missing where it never is (paper).",
            "first_drop_interpolated": "The same between grid points.",
            "first_drop_censored": "True where the curve is known and never falls that far.",
            "relative_ap_change_at_95": "Relative change of AP at 95 % sparsity (paper).",
            "relative_calibrated_ap_change_at_95": "The same of calibrated AP.",
            "p_value": "t test over runs that the metric at 95 % equals dense.",
            "q_value": "Benjamini-Hochberg of `p_value` over the classes.",
            **N_RUNS,
            "unstable": "True where fewer than 10 patients of the test set have the class.",
        },
    ),
    "class_pairs": Table(
        "How differently two classes are forgotten, and how differently frequent they are.",
        "a pair of classes",
        {
            "class_a": "One class.",
            "class_b": "The other.",
            "fcd": "Euclidean distance of the two curves over sparsities above 0 (paper).",
            "fcd_rms": "Root mean square distance: it does not grow with the grid, but with noise.",
            "fcd_corrected": "Root mean square distance of the curves of Somers' D without what "
            "noise alone gives; 0 is within noise (corrected). Missing, as all up to `q_value`, "
            "where a class is not judged.",
            "fcd_squared_debiased": "Its square before it is cut at 0: 0 on average for two "
            "classes that are forgotten alike, so sometimes below.",
            "difference": "Change of Somers' D, mean over sparsities: `class_a` minus `class_b`.",
            "difference_ci_low": "Lower end of its 95 % interval over runs and patients.",
            "difference_ci_high": "Upper end of it.",
            "p_value": "That the difference is 0, with Welch's degrees of freedom.",
            "q_value": "Benjamini-Hochberg of it over the pairs: told apart below 0.05.",
            "log10_frequency_difference": "Difference of log10 train frequency, of judged classes: "
            "what the claim `frequency~fcd` holds `fcd_squared_debiased` against.",
            "cooccurrence_iou": "Test images with both over images with either.",
            "cooccurrence_iou_paper": "The same from column sums, as the paper's code has it.",
            "log_frequency_difference": "Difference of the log test counts.",
            "log_frequency_difference_paper": "The same from column sums (paper).",
        },
    ),
    "claims": Table(
        "The paper's claims, tested: its own statistic and the corrected one, with a verdict.",
        "a claim and reading",
        {
            "claim": "`frequency~first_drop`, `frequency~change_at_95`, "
            "`tail_loses_more_than_head`, `frequency~fcd`, `cooccurrence~fcd`, `pies~rare`, "
            "`pies~many_findings`, `pies~label_noise` or `pies~image_quality`.",
            "reading": "`paper` or `corrected`.",
            "statistic": "What is estimated.",
            "estimate": "Its value.",
            "ci_low": "Lower end of its 95 % interval; 98 % for the corrected `frequency~fcd`.",
            "ci_high": "Upper end of it.",
            "p_value": "Two-sided p of no effect.",
            "n": "Classes, pairs or images it rests on.",
            "verdict": "`as claimed` or `opposite` where the interval leaves out no effect, "
            "`not shown` where it does not, `cannot tell` where there is no sound test. Of PIEs, "
            "corrected, a second interval must lie on the same side: that of PIEs of pruned "
            "models (`pruned_ci_low`, `pruned_ci_high`), which this table does not hold.",
            "sentence": "The same in words, as pages and report say it.",
        },
    ),
    "trends": Table(
        "Do rare classes lose more? Meta-regressions that weigh each class by its own error.",
        "a trend: `onset`, `change_at_95`, `tail_minus_head`",
        {
            "name": "Of what: the onset, the change of Somers' D at 95 % sparsity against log10 "
            "frequency, or that change in tail (x = 1) against head classes (x = 0).",
            "n": "Judged classes in it.",
            **TREND,
        },
    ),
    "class_effects": Table(
        "What each class adds to a trend: a forest plot in numbers.",
        "a trend over frequency and class",
        {
            "name": "`onset` or `change_at_95`.",
            **CLASS,
            "x": "log10 of the train frequency.",
            "y": "Onset, or change of Somers' D at 95 %, as measured.",
            "se": "Its standard error over runs and patients.",
            "fitted": "The value of the line at x.",
            "shrunken": "`y` drawn towards the line by as much as it is noise.",
            "shrunken_low": "Lower end of its 95 % interval.",
            "shrunken_high": "Upper end of it.",
        },
    ),
    "correlations": Table(
        "The paper's correlations, with p-values that know that pairs share classes.",
        "a correlation; one with `:calibrated_ap` is of that metric. Noise counts as difference in "
        "all of them: see `claims` for conclusions",
        {
            "name": "`x~y`, as in the paper's figures.",
            "n": "Classes, or pairs of classes.",
            "pearson_r": "Pearson's correlation.",
            "pearson_p": "Its p-value, which takes the points as independent (paper).",
            "spearman_rho": "Spearman's rank correlation.",
            "spearman_p": "Its p-value (paper).",
            "permutation_p": "From permuting classes; Mantel's test for pairs.",
            "kendall_tau_b": "Of the interpolated first drop, classes that never drop tied last.",
            "kendall_p": "Its p-value.",
            "n_kendall": "Classes in it.",
        },
    ),
    "interaction": Table(
        "The paper's regression: do frequency and co-occurrence act together?",
        "a term",
        {
            "term": "Of the regression; `a:b` is a product.",
            "n": "Pairs of classes.",
            "coefficient": "Of ordinary least squares on `fcd` (paper).",
            "t": "Its t value (paper).",
            "ols_p": "Its p-value, which takes pairs as independent (paper).",
            "permutation_p": "From permuting classes: MRQAP, double semi-partialing. Noise counts "
            "as difference in it, so nothing is concluded from it.",
        },
    ),
}
