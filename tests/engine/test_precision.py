"""Which precision a study computes in: chosen once, by what the machine has, and kept."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from core.checkpoints.analyses import AUTO_PRECISION, analysis_config, seconds_on_grid
from core.checkpoints.preflight import Estimate, FileFacts, Preflight
from core.engine import pipeline
from core.study import paths, store
from core.study.config import read_config, with_overrides
from core.wording.precision_sentences import COSTS, IMITATED_BF16, choice, cost
from tests.engine.small_study import STUDY
from tests.toys import toy_config

FP32, BF16 = 10.0, 20.0  # images per second
GIVEN = toy_config(checkpoint={"sha256": "0" * 64, "classes": ["Mass"]}, runs={"count": 1})


def report_of(bf16: float | None) -> Preflight:
    """Of a machine that computes so many images a second in bf16, or does not compute in it."""
    estimate = Estimate(FP32, 1000, 130.0, 0, 0, bf16)
    file = FileFacts("model.pt", "0" * 64, 1, "safetensors", {})
    return Preflight("", file, "", estimate=estimate, config=GIVEN)


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path))


def test_auto_takes_bf16_only_where_the_machine_computes_in_it() -> None:
    for rate, precision in ((BF16, "bf16"), (None, "fp32")):
        config = analysis_config(report_of(rate), overrides=(AUTO_PRECISION,))
        assert config.sweep.precision == precision  # so the study's settings say which it was


def test_fp32_stays_out_of_the_id_however_it_was_chosen() -> None:
    auto = analysis_config(report_of(None), overrides=(AUTO_PRECISION,))
    asked = analysis_config(report_of(BF16), overrides=("sweep.precision=fp32",))
    skipping = with_overrides(GIVEN, ("dataset.on_bad_image=skip",))
    assert auto.id == asked.id == skipping.id


def test_a_study_goes_on_as_it_began_on_a_machine_with_another_arithmetic() -> None:
    begun = analysis_config(report_of(None), "mine", (AUTO_PRECISION,))
    store.write_json(
        {"config": begun.model_dump(mode="json")}, paths.study_json(paths.study_dir(begun))
    )
    elsewhere = analysis_config(report_of(BF16), "mine", (AUTO_PRECISION,))
    assert elsewhere.id == begun.id


def test_the_time_a_study_takes_follows_the_precision() -> None:
    n = len(toy_config().sweep.sparsities)
    # 1,000 predictions take 100 s in fp32; 30 s are for all else.
    assert seconds_on_grid(report_of(BF16), n, "fp32") == pytest.approx(130)
    assert seconds_on_grid(report_of(BF16), n, "bf16") == pytest.approx(30 + 50)
    assert seconds_on_grid(report_of(None), n, "bf16") == pytest.approx(30 + 100 * IMITATED_BF16)


def test_bf16_where_it_is_imitated_costs_and_auto_says_what_it_is() -> None:
    assert cost("bf16", native_bf16=False) == choice("bf16", "bf16", False) == COSTS
    assert cost("bf16", native_bf16=True) == cost("fp32", native_bf16=False) == ""
    assert choice("auto", "bf16", True).startswith("auto means bf16 here")
    assert choice("auto", "fp32", False).startswith("auto means fp32 here")


@pytest.mark.parametrize("native", [False, True])
def test_a_run_says_once_that_bf16_is_imitated(
    native: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(pipeline, "native_bf16", lambda: native)
    (tmp_path / "small.toml").write_text(STUDY)
    overrides = ("sweep.precision=bf16", "sweep.sparsities=[0]", "training.epochs=1")
    with caplog.at_level(logging.WARNING):
        pipeline.run_study(read_config(tmp_path / "small.toml", overrides))
    assert [record.getMessage() for record in caplog.records].count(COSTS) == (not native)
