"""Training one run: a loop to be read in one go. Best validation loss is kept; a killed run goes on
from its last finished epoch and ends in the same weights as an undisturbed one."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from core.engine.checkpoints import CheckpointInfo, device, is_complete, save_checkpoint, versions
from core.engine.losses import LOSSES, Loss
from core.engine.models import build_model
from core.engine.pixels import Pixels
from core.engine.preprocessing import augment, describe, to_input, to_unit
from core.engine.registry import chosen
from core.engine.samplers import SAMPLERS
from core.engine.schedules import SCHEDULES
from core.errors import InputError, WorkError
from core.study import paths
from core.study.config import StudyConfig
from core.study.labels import Labels, label_matrix
from core.study.progress import Advance, further
from core.study.store import whole_file, write_json


def train_run(
    config: StudyConfig, labels: Labels, pixels: Pixels, path: Path, run: int, advance: Advance
) -> None:
    """Train run number `run` and write its checkpoint to `path`, its history beside it; nothing
    where they exist.

    Runs differ by seed only. `advance(done, total)` counts images. Raises WorkError where the
    loss stops being a number.
    """
    if is_complete(path):
        return
    seed = config.runs.first_seed + run
    settings, where = config.training, device()
    loss_of = chosen(LOSSES, settings.loss, "loss")
    order_of = chosen(SAMPLERS, settings.sampler, "sampler")
    schedule = chosen(SCHEDULES, settings.schedule, "schedule")
    train, validation = labels.split("train"), labels.split("validation")
    train_rows, targets = pixels.rows(train["image_id"]), label_matrix(train, labels.class_names)
    n_train = len(train_rows)
    total = settings.epochs * (n_train + len(validation))  # images, validation's included
    model = build_model(config.model, len(labels.class_names), seed)
    model = model.to(where).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    history: list[dict[str, Any]] = []
    best = copy.deepcopy(model.state_dict())

    unfinished = paths.training_state_path(path)
    if state := _load_state(unfinished, where):
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        history, best = state["history"], state["best"]

    for epoch in range(len(history), settings.epochs):
        if _epochs_without_gain(history) >= settings.patience:
            break
        # Everything random in an epoch follows from (seed, epoch): a resumed run repeats it.
        torch.manual_seed(seed * 100_003 + epoch)
        randomness = torch.Generator().manual_seed(seed * 100_003 + epoch)
        begun = epoch * (n_train + len(validation))
        model.train()
        loss_sum, n_certain = 0.0, 0
        order = order_of(targets, randomness)
        for done, batch in _batches(order, settings.batch_size):
            images = to_unit(pixels.read(train_rows[batch]), where)
            if settings.flip or settings.rotation_degrees:
                images = augment(images, settings.flip, settings.rotation_degrees, randomness)
            batch_loss, n = loss_of(
                model(to_input(images)), torch.from_numpy(targets[batch]).to(where)
            )
            if n:
                passed = (epoch + (done - len(batch)) / n_train) / settings.epochs
                for group in optimizer.param_groups:
                    group["lr"] = settings.learning_rate * schedule(passed)
                optimizer.zero_grad(set_to_none=True)
                (batch_loss / n).backward()
                optimizer.step()
            loss_sum, n_certain = loss_sum + batch_loss.item(), n_certain + n
            advance(begun + done, total)
        losses = {
            "epoch": epoch,
            "train_loss": loss_sum / max(n_certain, 1),
            "validation_loss": validation_loss(
                model,
                validation,
                labels,
                pixels,
                loss_of,
                settings.batch_size,
                further(advance, begun + n_train, total),
            ),
        }
        if not np.isfinite([losses["train_loss"], losses["validation_loss"]]).all():
            raise WorkError(
                f"Run {run}: the loss is not a number after epoch {epoch + 1}; "
                f"try a lower training.learning_rate than {settings.learning_rate}."
            )
        history.append(losses)
        if _epochs_without_gain(history) == 0:
            best = copy.deepcopy(model.state_dict())
        with whole_file(unfinished) as temporary:
            torch.save(
                {
                    "model": model.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "history": history,
                    "best": best,
                },
                temporary,
            )

    model.load_state_dict(best)
    kept = min(history, key=lambda entry: entry["validation_loss"])
    info = CheckpointInfo(
        model=config.model.model_dump(),
        class_names=list(labels.class_names),
        preprocessing=describe(config.model.image_size),
        run=run,
        seed=seed,
        epoch=kept["epoch"],
        validation_loss=kept["validation_loss"],
        versions=versions(),
    )
    write_json({"info": asdict(info), "epochs": history}, paths.history_path(path))
    save_checkpoint(model.cpu(), info, path)
    unfinished.unlink(missing_ok=True)


@torch.no_grad()
def validation_loss(
    model: nn.Module,
    table: Any,
    labels: Labels,
    pixels: Pixels,
    loss_of: Loss,
    batch_size: int,
    advance: Advance,
) -> float:
    """Mean loss over the certain labels of the validation split, in evaluation mode (the caller
    sets train mode again)."""
    model.eval()
    where = next(model.parameters()).device
    rows, targets = pixels.rows(table["image_id"]), label_matrix(table, labels.class_names)
    loss_sum, n_certain = 0.0, 0
    for done, batch in _batches(np.arange(len(rows)), batch_size, keep_single=True):
        logits = model(to_input(to_unit(pixels.read(rows[batch]), where)))
        loss, n = loss_of(logits, torch.from_numpy(targets[batch]).to(where))
        loss_sum, n_certain = loss_sum + loss.item(), n_certain + n
        advance(done, len(rows))
    if not n_certain:
        raise InputError("No validation image has a certain label, so no epoch can be chosen.")
    return loss_sum / n_certain


def _batches(
    order: np.ndarray, size: int, keep_single: bool = False
) -> Iterator[tuple[int, np.ndarray]]:
    for start in range(0, len(order), size):
        batch = order[start : start + size]
        # Batch norm has no variance over a single image: such a last batch waits an epoch.
        if len(batch) > 1 or keep_single:
            yield start + len(batch), batch


def _epochs_without_gain(history: list[dict[str, Any]]) -> int:
    losses = [entry["validation_loss"] for entry in history]
    return len(losses) - 1 - int(np.argmin(losses)) if losses else 0


def _load_state(path: Path, where: torch.device) -> dict[str, Any] | None:
    try:
        return torch.load(path, map_location=where, weights_only=True)
    except FileNotFoundError:
        return None
    except (OSError, RuntimeError, KeyError, ValueError, pickle.UnpicklingError, EOFError):
        return None  # damaged: the run begins again, which costs time and loses nothing
