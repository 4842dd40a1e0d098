"""What the code does not say of itself: a sentence for each setting, variable and parameter of an
address. `tools.reference.pages` puts these beside what the code does say.
"""

from __future__ import annotations

from core.study import environment

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
