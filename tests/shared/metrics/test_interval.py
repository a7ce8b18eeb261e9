from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from shared.metrics.interval import mean_interval, paired_interval


def test_pairs_share_the_spread_between_clips() -> None:
    rng = np.random.default_rng(0)
    clips = rng.normal(10, 5, 40)
    made = clips - 1 + rng.normal(0, 0.3, 40)
    found = paired_interval(made, clips, seed=1, rounds=2000)
    assert found.mean == pytest.approx(np.mean(made - clips))
    assert -1.3 < found.low < found.mean < found.high < -0.7
    assert found.count == 40


def test_the_interval_equals_scipys_bootstrap() -> None:
    figures = np.random.default_rng(2).exponential(2.0, 60)
    found = mean_interval(figures, seed=3)
    slow = stats.bootstrap((figures,), np.mean, method="percentile", n_resamples=10_000, rng=np.random.default_rng(4))
    assert found.low == pytest.approx(slow.confidence_interval.low, abs=0.03)
    assert found.high == pytest.approx(slow.confidence_interval.high, abs=0.03)


def test_the_same_seed_gives_the_same_interval_and_missing_clips_are_left_out() -> None:
    made, baseline = [1.0, 2.0, float("nan"), 4.0], [0.0, 0.5, 1.0, 1.0]
    first = paired_interval(made, baseline, seed=5, rounds=200)
    assert first == paired_interval(made, baseline, seed=5, rounds=200)
    assert first.count == 3
    assert np.isnan(mean_interval([], seed=0).mean)
    with pytest.raises(ValueError, match="two"):
        paired_interval([1.0], [1.0, 2.0], seed=0)
