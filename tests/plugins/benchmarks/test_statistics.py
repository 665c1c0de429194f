"""Paired differences, their intervals and Holm's correction: against naive formulas and scipy's own tests."""

import numpy as np
import pytest
from scipy import stats

from plugins.benchmarks.statistics import holm, paired


def test_interval_and_p_are_those_of_a_paired_t_test():
    rng = np.random.default_rng(0)
    for n in (3, 5, 12):
        values, controls = rng.normal(50, 5, n), rng.normal(48, 5, n)
        found, theirs = paired(values, controls), stats.ttest_rel(values, controls)
        low, high = theirs.confidence_interval(0.95)
        assert found.pairs == n and found.p == pytest.approx(theirs.pvalue)
        assert (found.mean - found.half, found.mean + found.half) == pytest.approx((low, high))


def test_interval_by_hand():
    """t(0.975, 4) = 2.776; differences 1 to 5 have mean 3 and s = sqrt(2.5)."""
    found = paired([11, 12, 13, 14, 15], [10, 10, 10, 10, 10])
    assert found.mean == 3 and found.half == pytest.approx(2.776 * (2.5 / 5) ** 0.5, abs=1e-3)


def test_few_pairs_and_equal_pairs_have_no_interval():
    two = paired([3.0, 9.0], [1.0, 1.0])
    assert (two.mean, two.half, two.p, two.pairs) == (5.0, None, None, 2)
    one = paired([3.0], [1.0])
    assert (one.mean, one.half, one.p, one.pairs) == (2.0, None, None, 1)
    same = paired([3.0, 4.0], [1.0, 2.0])
    assert (same.mean, same.half, same.p, same.pairs) == (2.0, None, None, 2)


def test_holm_against_the_definition_as_a_loop():
    rng = np.random.default_rng(1)
    for n in (1, 2, 7, 30):
        ps = list(rng.random(n) ** 3)
        ranked = sorted(ps)
        expected = []
        for p in ps:
            steps = [min(1.0, (n - j) * ranked[j]) for j in range(ranked.index(p) + 1)]
            expected.append(max(steps))
        assert holm(ps) == pytest.approx(expected)


def test_holm_by_hand_leaves_out_what_was_not_compared():
    assert holm([0.01, None, 0.04, 0.03]) == pytest.approx([0.03, None, 0.06, 0.06])
    assert holm([]) == [] and holm([None]) == [None]
