from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from shared.metrics.interval import paired_interval, paired_pooled_interval, pooled_interval
from shared.metrics.pooled import (
    Sums,
    closed_recall,
    closed_sums,
    correlation,
    excess,
    mean,
    mean_sums,
    pair_sums,
    relative_rate,
    spread_ratio,
)
from shared.types import Floats


def tracks(seed: int, clips: int = 12) -> list[tuple[Floats, Floats]]:
    rng = np.random.default_rng(seed)
    real = [rng.normal(0.03, 0.02, 75).astype(np.float32) for _ in range(clips)]
    return [((0.8 * one + rng.normal(0, 0.01, 75)).astype(np.float32), one) for one in real]


def test_figures_of_summed_clips_are_those_of_all_their_frames() -> None:
    pairs = tracks(0)
    pairs[3][0][10:20] = np.nan
    sums = np.array([pair_sums(*pair) for pair in pairs]).sum(axis=0)
    made, real = (np.concatenate([pair[side] for pair in pairs]).astype(np.float64) for side in (0, 1))
    known = np.isfinite(made)
    assert correlation(sums) == pytest.approx(np.corrcoef(made[known], real[known])[0, 1], abs=1e-9)
    assert spread_ratio(sums) == pytest.approx(made[known].std() / real[known].std(), abs=1e-9)
    means = np.array([mean_sums(pair[0]) for pair in pairs]).sum(axis=0)
    assert mean(means) == pytest.approx(np.nanmean(made), abs=1e-9)


def test_a_rate_is_compared_with_a_rate() -> None:
    assert excess(np.array([3.0, 10.0, 1.0, 10.0])) == pytest.approx(0.2)
    assert relative_rate(np.array([3.0, 10.0, 1.0, 10.0])) == pytest.approx(3.0)


@pytest.mark.parametrize("figure", [mean, correlation, spread_ratio, excess, relative_rate])
def test_nothing_counted_is_nan_and_no_warning(figure: Callable[[Sums], Sums]) -> None:
    assert np.isnan(figure(np.zeros(6 if figure in (correlation, spread_ratio) else 4)))


def test_what_does_not_move_has_no_correlation() -> None:
    still = pair_sums(np.full(9, 0.5), np.arange(9.0))
    assert np.isnan(correlation(still))
    assert spread_ratio(still) == 0.0


def test_the_recall_of_closed_frames_takes_the_best_threshold() -> None:
    made, real = tracks(1, 1)[0]
    closed = 0.0125
    found = float(closed_recall(closed_sums(made, real, closed), 0.85))
    best = 0.0
    for limit in np.linspace(0.0, 0.1, 201)[1:]:  # the slow way, at the histogram's own limits
        said = made < limit
        if said.any() and float(np.mean(real[said] <= closed)) >= 0.85:
            best = max(best, float(np.mean(made[real <= closed] < limit)))
    assert found == pytest.approx(best, abs=0.02)
    assert float(closed_recall(closed_sums(real, real, closed), 1.0)) > 0.9
    assert float(closed_recall(closed_sums(-real, real, closed), 0.85)) < 0.5


def test_the_pooled_interval_of_a_mean_is_that_of_the_mean_s_bootstrap() -> None:
    rng = np.random.default_rng(2)
    figures = rng.exponential(2.0, 40)
    sums = np.stack([figures, np.ones(40)], axis=1)
    found = pooled_interval(sums, mean, seed=3, rounds=8000)
    slow = stats.bootstrap((figures,), np.mean, method="percentile", n_resamples=8000, rng=np.random.default_rng(4))
    assert found.mean == pytest.approx(figures.mean())
    assert found.low == pytest.approx(slow.confidence_interval.low, abs=0.04)
    assert found.high == pytest.approx(slow.confidence_interval.high, abs=0.04)
    assert found.count == 40


def test_differences_are_paired() -> None:
    rng = np.random.default_rng(5)
    clips = rng.normal(10, 5, 40)
    made = clips - 1 + rng.normal(0, 0.3, 40)
    first, second = (np.stack([one, np.ones(40)], axis=1) for one in (made, clips))
    pooled = paired_pooled_interval(first, second, mean, seed=6)
    direct = paired_interval(made, clips, seed=7, rounds=2000)
    assert pooled.mean == pytest.approx(direct.mean)
    assert pooled.low == pytest.approx(direct.low, abs=0.03)
    assert pooled.high == pytest.approx(direct.high, abs=0.03)


def test_one_clip_has_no_interval_and_a_seed_repeats_it() -> None:
    sums = np.array([pair_sums(*pair) for pair in tracks(8)])
    assert pooled_interval(sums, correlation, 1) == pooled_interval(sums, correlation, 1)
    assert np.isnan(pooled_interval(sums[:1], correlation, 1).low)
    with pytest.raises(ValueError, match=r"\(N, K\)"):
        pooled_interval(sums[0], correlation, 1)
    with pytest.raises(ValueError, match="two"):
        paired_pooled_interval(sums, sums[:2], correlation, 1)
