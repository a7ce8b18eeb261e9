"""Phone scores against a slow reference, and what must not change them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.ear import (
    BANDS,
    CEPSTRA,
    DENSITIES,
    HIGHEST_HZ,
    LEAST,
    LIFTER,
    LOWEST_HZ,
    MEMORY_ROWS,
    PHONES,
    RUNNING_ROWS,
    SHARPNESS,
    SOUNDS_FROM,
    SOUNDS_WIDTH,
    STATES,
    STREAMS,
    USUAL_ROWS,
    Ear,
    Mixtures,
    cepstra_of,
)

CENTRES = torch.linspace(250.0, 2700.0, 40)
Doubles = NDArray[np.float64]


def mixtures(seed: int = 0) -> Mixtures:
    draw = torch.Generator().manual_seed(seed)
    shape = (len(PHONES), STREAMS, DENSITIES, CEPSTRA)
    weights = torch.rand(STREAMS, DENSITIES, STATES * len(PHONES), generator=draw)
    return Mixtures(
        10.0 * torch.randn(shape, generator=draw),
        50.0 + 200.0 * torch.rand(shape, generator=draw),
        weights / DENSITIES,
    )


def sounds(rows: int, seed: int = 1) -> torch.Tensor:
    slow = torch.randn(1, 40, rows // 4 + 4, generator=torch.Generator().manual_seed(seed))
    return (8.0 + 2.0 * torch.nn.functional.interpolate(slow, rows, mode="linear")).transpose(1, 2)


def slow_scores(features: Doubles, model: Mixtures, centre: Doubles) -> Doubles:
    """Each row, phone, state and density for itself, with scipy's normal density: (T, 42)."""
    from scipy.stats import norm

    cepstra = features @ cepstra_of(CENTRES).numpy().astype(np.float64) - centre
    rows = len(cepstra)

    def at(row: int) -> Doubles:
        return np.asarray(cepstra[min(max(row, 0), rows - 1)])

    scores = np.zeros((rows, len(PHONES)))
    for row in range(rows):
        first = at(row + 2) - at(row - 2)
        second = (at(row + 3) - at(row - 1)) - (at(row + 1) - at(row - 3))
        for phone in range(len(PHONES)):
            states = np.zeros(STATES)
            for stream, value in enumerate((at(row), first, second)):
                spread = np.sqrt(model.variances[phone, stream].double().numpy())
                density = np.prod(norm.pdf(value, model.means[phone, stream].double().numpy(), spread), axis=1)
                own = model.weights[stream, :, STATES * phone : STATES * (phone + 1)].double().numpy()
                states += np.log(density @ own)
            scores[row, phone] = SHARPNESS * np.log(np.exp(states - states.max()).sum()) + SHARPNESS * states.max()
    scores -= np.log(np.exp(scores - scores.max(1, keepdims=True)).sum(1, keepdims=True)) + scores.max(1, keepdims=True)
    return np.asarray(np.maximum(scores, LEAST))


def test_scores_are_those_of_the_mixtures_written_out() -> None:
    model, features = mixtures(), sounds(9)
    ear = Ear(CENTRES, model)
    centre = np.full(CEPSTRA, 0.7)
    made = ear(features, 1, torch.from_numpy(centre).float())[0]
    np.testing.assert_allclose(made.numpy(), slow_scores(features[0].double().numpy(), model, centre), atol=2e-3)


def test_steps_are_the_rows_they_stand_at() -> None:
    ear, features = Ear(CENTRES, mixtures()), sounds(151)
    torch.testing.assert_close(ear(features, 2), ear(features, 1)[:, ::2], atol=1e-4, rtol=1e-4)


def test_each_sound_of_a_batch_is_heard_alone() -> None:
    ear, first, second = Ear(CENTRES, mixtures()), sounds(80), sounds(80, 2)
    both = ear(torch.cat([first, second]), 2)
    torch.testing.assert_close(both, torch.cat([ear(first, 2), ear(second, 2)]), atol=1e-4, rtol=1e-4)


def test_a_microphone_changes_nothing() -> None:
    """A factor on each band moves all rows' cepstra alike, and their mean with them."""
    ear, features = Ear(CENTRES, mixtures()), sounds(120)
    loud = features + 20.0 * (torch.arange(120) % 40 >= 10).float()[None, :, None]  # quiet rows are no part of the mean
    coloured = loud + torch.linspace(-0.5, 0.5, 40)
    torch.testing.assert_close(ear(coloured, 2), ear(loud, 2), atol=2e-3, rtol=1e-3)


def test_what_is_quiet_is_no_part_of_the_mean() -> None:
    ear, features = Ear(CENTRES, mixtures()), sounds(100)
    longer = torch.cat([features, features.mean() - 12.0 + torch.randn(1, 9000, 40)], dim=1)
    torch.testing.assert_close(ear.centre(longer), ear.centre(features))


def test_the_cepstra_are_those_of_the_models_own_front_end() -> None:
    """A log spectrum that is a cosine over the mel axis has one cepstrum, liftered."""
    low, high = (2595.0 * np.log10(1.0 + edge / 700.0) for edge in (LOWEST_HZ, HIGHEST_HZ))
    step = (high - low) / (BANDS + 1)
    centres = torch.linspace(low + step / 2, high - step / 2, 200, dtype=torch.float64)
    place = (centres.numpy() - low - step / 2) / (BANDS * step)
    made = np.cos(np.pi * 3 * place) @ cepstra_of(centres).numpy()
    wanted = np.zeros(CEPSTRA)
    wanted[3] = np.sqrt(BANDS / 2) * (1.0 + LIFTER / 2 * np.sin(np.pi * 3 / LIFTER))
    np.testing.assert_allclose(made, wanted, atol=0.03 * wanted[3])


def test_nothing_in_it_is_trained() -> None:
    ear = Ear(CENTRES, mixtures())
    assert not list(ear.parameters())
    assert not ear(sounds(20).requires_grad_(), 2).requires_grad


@pytest.mark.parametrize("rows", [1, 2, 3, 200])
def test_short_sounds_have_scores_too(rows: int) -> None:
    scores = Ear(CENTRES, mixtures())(sounds(rows), 2)
    assert scores.shape == (1, -(-rows // 2), len(PHONES))
    assert bool(scores.isfinite().all())


def live_ear() -> Ear:
    ear = Ear(CENTRES, mixtures(), live=True)
    ear.usual_from(sounds(300, 7)[0])
    return ear


def slow_running(ear: Ear, features: Doubles) -> Doubles:
    """One row after the other."""
    weight = USUAL_ROWS
    total = weight * ear.usual.numpy().astype(np.float64)
    centres = []
    for row in features:
        heard = 1.0 / (1.0 + np.exp(-(row.mean() - SOUNDS_FROM) / SOUNDS_WIDTH))
        total = (1.0 - heard / MEMORY_ROWS) * total + heard * (row @ ear.cepstra.numpy().astype(np.float64))
        weight = (1.0 - heard / MEMORY_ROWS) * weight + heard
        centres.append(total / weight)
    return np.array(centres)


def test_a_running_mean_is_that_of_one_row_after_the_other() -> None:
    ear, features = live_ear(), sounds(2000)
    centres, _ = ear.running(features)
    np.testing.assert_allclose(centres[0].numpy(), slow_running(ear, features[0].double().numpy()), atol=2e-4)


def test_a_running_mean_of_hours_stays_finite_and_is_made_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert RUNNING_ROWS * -np.log1p(-1.0 / MEMORY_ROWS) < np.log(np.finfo(np.float64).max) / 2
    ear, features = live_ear(), sounds(100)
    whole, kept = ear.running(features)
    monkeypatch.setattr("models.ear.RUNNING_ROWS", 30)
    parts, sums = ear.running(features)
    torch.testing.assert_close(parts, whole)
    torch.testing.assert_close(sums, kept)


def test_a_running_mean_goes_on_from_what_is_kept() -> None:
    ear, features = live_ear(), sounds(300)
    whole, kept = ear.running(features)
    parts, sums = [], None
    for part in (features[:, :1], features[:, 1:140], features[:, :0], features[:, 140:]):
        centres, sums = ear.running(part, sums)
        parts.append(centres)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole)
    torch.testing.assert_close(sums, kept, atol=1e-4, rtol=1e-5)
    assert kept.shape == (1, 1, CEPSTRA + 1)


def test_a_live_ear_measures_against_what_was_and_not_what_comes() -> None:
    ear, features = live_ear(), sounds(200)
    changed = features.clone()
    changed[:, 120:] += torch.linspace(0.0, 3.0, 40)
    one, other = ear(features, 1), ear(changed, 1)
    torch.testing.assert_close(one[:, :117], other[:, :117])
    assert (one[:, 120:] - other[:, 120:]).abs().max() > 0.1
    whole = Ear(CENTRES, mixtures())
    assert (whole(features, 1)[:, :117] - whole(changed, 1)[:, :117]).abs().max() > 0.1


def test_a_quiet_wait_leaves_the_running_mean_as_it_was() -> None:
    ear, features = live_ear(), sounds(200)
    wait = 4.0 + 0.1 * torch.randn(1, 6000, 40, generator=torch.Generator().manual_seed(5))
    centre = ear.running(features)[0][:, -1]
    after = ear.running(torch.cat([features, wait], dim=1))[0][:, -1]
    assert (after - centre).abs().max() < 0.05 * (centre - ear.running(wait)[0][:, -1]).abs().max() + 0.5


def test_another_microphone_is_got_used_to() -> None:
    ear = live_ear()
    features = 10.0 + sounds(4000, 4) - 8.0
    colour = torch.linspace(-1.5, 1.5, 40)
    first, second = ear.running(torch.cat([features, features + colour], dim=1))[0][0, [3999, 7999]]
    torch.testing.assert_close(second - first, colour @ ear.cepstra, atol=0.6, rtol=0.1)
