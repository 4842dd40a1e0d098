"""The preflight: what is in a file, does it fit the dataset, and what would a study of it take?

The same file on the same data with the same choices gives the report that is kept in the cache.
"""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import get_num_threads, nn

from core.checkpoints.analyses import study_settings
from core.checkpoints.checks import which_activation, which_twin
from core.checkpoints.formats import shown
from core.checkpoints.mapping import as_far_as_known, map_outputs
from core.checkpoints.preflight import (
    DenseCheck,
    Estimate,
    Outputs,
    Preflight,
    PreflightOptions,
    Seen,
    WeightFacts,
)
from core.datasets import load_labels
from core.engine.foreign import against, checking, kept, twins
from core.engine.foreign.adopting import (
    adopt,
    keep_outputs,
    network_of,
    output_rows,
    studied_labels,
)
from core.engine.foreign.facts import (
    Listener,
    file_facts,
    matched,
    network_facts,
    refuse_not_finite,
    refuse_unclear,
    refuse_unfit,
    weight_facts,
)
from core.engine.foreign.given import Given
from core.engine.foreign.graph_files import read_given
from core.engine.foreign.guessing import Match
from core.engine.foreign.proposing import (
    activation_warnings,
    framed,
    graph_warnings,
    usual_framing,
    usual_preprocessing,
)
from core.engine.foreign.reading import Reader
from core.engine.foreign.sidecar import Sidecar, read_sidecar
from core.engine.foreign.stated import order_of, unnamed_outputs
from core.engine.preprocessing import Activation, Normalisation, activation_of, seen_by
from core.errors import InputError
from core.study import paths, store
from core.study.config import StudyConfig, with_overrides
from core.study.labels import Labels
from core.study.settings import (
    CheckpointSettings,
    ModelSettings,
    PreprocessingName,
    RunSettings,
    SweepSettings,
)
from core.wording import data_sentences
from core.wording.amounts import size

# Seconds that ranking and masking takes, per prunable weight and sparsity.
SECONDS_PER_WEIGHT = 6e-8
UNPRUNED = SweepSettings(sparsities=(0.0,))  # the grid of an ONNX graph


def preflight(
    path: Path,
    base: StudyConfig,
    options: PreflightOptions | None = None,
    listener: Listener | None = None,
    reader: Reader | None = None,
) -> Preflight:
    """What is known of the checkpoint in `path` on the dataset of `base`.

    `base` also gives grid, precision, pruning and groups; its training and runs are left aside.
    `reader` is one that is running already. Raises InputError, in one sentence, where the file
    cannot be read or the dataset cannot be used; what does not fit is the report's `refusal`.
    """
    options, path = options or PreflightOptions(), Path(path)
    if base.dataset.kind == "imported":
        raise InputError(
            f"Study {base.study.name!r} has imported predictions; a checkpoint needs a dataset "
            "with images."
        )
    tell = listener or (lambda stage, done, total: None)
    sidecar = read_sidecar(path)
    with Reader() if reader is None else nullcontext(reader) as running:
        # The child is starting meanwhile.
        labels = load_labels(base.dataset, lambda done, n: tell("Reading the dataset", done, n))
        given = read_given(
            running,
            path,
            options,
            options.image_size or sidecar.image_size,
            lambda done, n: tell("Reading the file", done, n),
        )
    key = kept.key_of(path, given.sha256, labels.fingerprint(), base, options, sidecar)
    if (known := kept.report(key)) is not None:
        return known
    report = _Preflight(path, given, sidecar, labels, base, options, tell, key).run()
    where = paths.preflight_path(key)
    with store.whole_file(where) as temporary:
        temporary.write_bytes(report.to_json())
    return report


class _Refused(Exception):  # noqa: N818
    """Ends the preflight with what is known so far."""


@dataclass
class _Preflight:
    """One preflight at work; `found` grows with each step."""

    path: Path
    given: Given
    sidecar: Sidecar
    labels: Labels
    base: StudyConfig
    options: PreflightOptions
    tell: Listener
    key: str
    found: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def run(self) -> Preflight:
        refusal = None
        try:
            self._steps()
        except (_Refused, InputError) as refused:
            refusal = str(refused)
        report = Preflight(
            key=self.key,
            file=file_facts(self.path, self.given, self.found.get("prefix", ""), self.options),
            dataset_fingerprint=self.labels.fingerprint(),
            warnings=tuple(self.warnings),
            refusal=refusal,
            **{name: value for name, value in self.found.items() if name != "prefix"},
        )
        return replace(report, config=None) if refusal else report

    def _steps(self) -> None:
        refuse_unclear(self.given, self.options)
        refuse_not_finite(self.given)
        found = matched(self.given, self.sidecar, self.options)
        self.found["prefix"] = found.prefix
        self.found |= network_facts(found, self.options)
        refuse_unfit(found)
        self.tell("Comparing weights", 0, 1)
        model = network_of(found)
        if not found.graph:
            self.found["weights"] = weight_facts(model)
        self._outputs(found)
        name, reason = self._preprocessing(found)
        config = self._config(found, name)
        config = self.found["config"] = with_overrides(config, self.options.seeing)
        adopt(self.given, found, shown(self.path.name), model, _checkpoint(config))
        self.tell("Comparing weights", 1, 1)
        labels = studied_labels(self.labels, _checkpoint(config))
        sample = checking.sample_of_test(labels, self.options.n_images)
        sample, pixels = checking.decode_sample(
            sample, config, lambda done, n: self.tell("Decoding images", done, n)
        )
        self.warnings += checking.bad_images(pixels)
        seen = seen_by(_checkpoint(config), found.settings.channels)
        self.found["seen"] = Seen(
            name=name,
            reason=f"{reason}{framed(_checkpoint(config))}",
            image_size=config.model.image_size,
            channels=config.model.channels,
            mean=seen.mean,
            std=seen.std,
            previews=checking.previews(pixels),
            image_ids=tuple(map(str, pixels.image_ids[: checking.PREVIEWS])),
        )
        classes = _checkpoint(config).classes
        rows = output_rows(classes, labels.class_names, found.n_outputs)
        keep_outputs(model, rows)
        self.warnings += activation_warnings(_checkpoint(config), len(rows))
        as_seen = (seen, activation_of(_checkpoint(config), rows))
        if found.graph:
            checking.refuse_changing(model, pixels, as_seen)
        timed = checking.predict_timed(
            model, pixels, as_seen, config, lambda done, n: self.tell("Predicting", done, n)
        )
        check = checking.check_dense(sample, timed.probabilities, timed.precision)
        self.found["check"] = check
        self._refuse_unsaid(found, (rows, sample, pixels, as_seen, timed.precision))
        self._warn(check)
        if found.graph:
            activation = _checkpoint(config).activation
            self.warnings += graph_warnings(found.graph, activation, timed.probabilities)
        order = self._order(config, labels, sample, model, as_seen, timed)
        reference = against.the_owners(self.options.reference, model, labels, config)
        self.found |= order.found | reference.found
        self.warnings += order.warnings + reference.warnings
        self.warnings += data_sentences.caveats(labels.split("test"), labels.class_names)
        self.found["estimate"] = estimate = self._estimate(config, labels, sample, timed)
        if estimate.disk_bytes > estimate.free_bytes:
            raise _Refused(
                f"The study needs about {size(estimate.disk_bytes)} of disk, and "
                f"{size(estimate.free_bytes)} are free."
            )

    def _refuse_unsaid(self, found: Match, how: twins.How) -> None:
        """Raise _Refused where a person has to say what the file leaves open."""

        def listen(done: int, total: int) -> None:
            self.tell("Comparing networks", done, total)

        n_images = self.found["check"].n_images
        known = {} if self.options.architecture else twins.networks(self.given.tensors, found)
        if len(known) > 1:
            self.found["twins"] = asked = twins.compare(known, how, listen)
            raise _Refused(which_twin(asked, n_images))
        if (head := found.settings.head) and not self.options.head:
            self.found["activations"] = asked = twins.compare(twins.activations(found), how, listen)
            raise _Refused(which_activation(head, asked, n_images))

    def _order(
        self,
        config: StudyConfig,
        labels: Labels,
        sample: Labels,
        model: nn.Module,
        seen: tuple[Normalisation, Activation],
        timed: checking.Timed,
    ) -> against.Found:
        """Of the sample, and of as many more images as half a minute or so is enough for."""
        images = paths.images_dir(config.dataset)
        assert images
        decoding = checking.decoding_rate(sample, images, config.model.image_size)
        each = 1 / max(timed.rate, 1e-6) + 1 / (decoding * get_num_threads())
        n = min(int(checking.SECONDS_FOR_ORDER / each), checking.MOST_FOR_ORDER)
        others, classes = checking.others_of_all(labels, sample, n), _checkpoint(config).classes
        of_the_sample = against.order_of_outputs(sample, timed.probabilities, classes)
        if others is None:
            return of_the_sample
        try:
            others, pixels = checking.decode_sample(
                others, config, lambda done, n: self.tell("Decoding more images", done, n)
            )
        except InputError:  # not one image of a split can be read
            return of_the_sample
        more = checking.predict_timed(
            model, pixels, seen, config, lambda done, n: self.tell("Checking the order", done, n)
        )
        both = Labels(pd.concat([sample.table, others.table]), labels.class_names)
        found = np.concatenate([timed.probabilities, more.probabilities])
        return against.order_of_outputs(both, found, classes)

    def _outputs(self, found: Match) -> None:
        settings = found.settings
        densenet = settings.architecture == "densenet121" and settings.channels == 1
        densenet = densenet and found.library != "MONAI"
        orders = (*self.given.orders, *self.sidecar.orders)
        names, doubt = order_of(orders, found.n_outputs)
        if doubt and self.options.classes is None:
            self.warnings.append(doubt)
        classes = self.labels.class_names
        # What a person needs to say which class each stands for, where the next line cannot.
        self.found["outputs"] = as_far_as_known(
            found.n_outputs, classes, names, self.options.classes
        )
        outputs: Outputs = map_outputs(
            found.n_outputs, classes, names, self.options.classes, densenet
        )
        self.found["outputs"] = outputs
        if outputs.named_by == "order":
            self.warnings.append(
                f"{unnamed_outputs(found.n_outputs, names)}, so its outputs are taken in the "
                "dataset's own order; give --classes if they are in another"
            )

    def _preprocessing(self, found: Match) -> tuple[PreprocessingName, str]:
        if self.options.preprocessing:
            return self.options.preprocessing, "chosen"
        if self.sidecar.preprocessing:
            return self.sidecar.preprocessing, "from the checkpoint's own description"
        return usual_preprocessing(found, self.sidecar, self.warnings)

    def _config(self, found: Match, name: PreprocessingName) -> StudyConfig:
        base, outputs = self.base, self.found["outputs"]
        return StudyConfig(
            study=study_settings(self.path.name, base),
            dataset=base.dataset,
            model=ModelSettings.model_validate(found.settings.model_dump()),
            runs=RunSettings(count=1),
            pruning=base.pruning,
            sweep=UNPRUNED if found.graph else base.sweep,
            groups=base.groups,
            operating_point=base.operating_point,
            checkpoint=CheckpointSettings(
                path=self.path.absolute(),
                sha256=self.given.sha256,
                classes=outputs.classes,
                preprocessing=name,
                network=self.options.network,
                rename=self.options.rename,
                **usual_framing(found, self.options, self.sidecar),
            ),
        )

    def _warn(self, check: DenseCheck) -> None:
        interval = f"mean AUROC {check.mean_auroc or 0:.2f}"
        if check.low is not None:
            interval += f", 95 % interval {check.low:.2f} to {check.high:.2f}"
        if judged := {"chance": "no better", "worse": "worse"}.get(check.verdict):
            self.warnings.append(
                f"{judged} than chance ({interval}): check class order and preprocessing"
            )
        elif check.verdict == "unknown":
            self.warnings.append(
                f"no class has {checking.FEW} positives and negatives among the {check.n_images} "
                "images looked at, so whether it beats chance is not known"
            )
        weights: WeightFacts | None = self.found.get("weights")
        if weights and weights.sparsity >= 0.005:
            self.warnings.append(
                f"{weights.sparsity:.1%} of the weights are zero already: the grid's sparsities up "
                "to that change nothing"
            )

    def _estimate(
        self, config: StudyConfig, labels: Labels, sample: Labels, timed: checking.Timed
    ) -> Estimate:
        images = paths.images_dir(config.dataset)
        assert images
        n_test, n_all = len(labels.split("test")), len(labels.table)
        n_validation = len(labels.split("validation"))
        n_grid, side = len(config.sweep.sparsities), config.model.image_size
        weights: WeightFacts | None = self.found.get("weights")
        n_weights = weights.n_weights if weights else 0
        n_predictions = (n_test + n_validation) * n_grid
        decoding = n_all / (checking.decoding_rate(sample, images, side) * get_num_threads())
        row = 4 * len(labels.class_names) + 30  # probabilities and the image's id
        return Estimate(
            images_per_second=timed.rate,
            images_per_second_bf16=timed.rate_bf16,
            n_predictions=n_predictions,
            seconds=decoding + n_predictions / timed.rate + n_grid * n_weights * SECONDS_PER_WEIGHT,
            # Predictions, their ensembles and ranks; those of validation; weights; decoded pixels.
            disk_bytes=n_grid * (3 * n_test + n_validation) * row
            + (4 * n_weights or self.given.n_bytes)
            + n_all * side**2,
            free_bytes=shutil.disk_usage(_existing(paths.cache_dir())).free,
        )


def _checkpoint(config: StudyConfig) -> CheckpointSettings:
    assert config.checkpoint
    return config.checkpoint


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
