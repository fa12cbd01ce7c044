"""BED: the reference grid to its last digit, the model it rests on integrated by hand, and what must hold."""

import json
import re
from math import exp, log
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.signal import lfilter

from planner.dose.bed import (
    ACUTE,
    LATE,
    ExternalBeam,
    Tissue,
    eqd2_gy,
    external_bed_gy,
    implant_bed_gy,
    relative_effectiveness,
    summed_bed_gy,
)
from planner.dose.dvh import dose_covering_percent, dose_volume
from planner.errors import RequestError

HALF_LIFE_DAYS = 59.4
DOSES = arrays(float, st.integers(1, 20), elements=st.floats(0.0, 2000.0))


def test_bed_agrees_with_the_reference_grid_to_its_last_digit(reference: Path) -> None:
    checks = json.loads((reference / "analytic_checks.json").read_text(encoding="utf-8"))
    assert checks["half_life_d"] == HALF_LIFE_DAYS
    assert len(checks["BED"]) == 36
    for name, expected in checks["BED"].items():
        match = re.fullmatch(r"D=(\d+),ab=(\d+),Trep=([\d.]+)h", name)
        assert match is not None
        dose, alpha_beta, hours = map(float, match.groups())
        tissue = Tissue(alpha_beta, hours / 24.0)
        doses = np.array([dose])
        bed = implant_bed_gy(doses, HALF_LIFE_DAYS, tissue)
        rate_per_hour = dose * log(2.0) / (24.0 * HALF_LIFE_DAYS)
        assert round(rate_per_hour, 5) == expected["R0_Gy_h"]
        assert round(float(relative_effectiveness(doses, HALF_LIFE_DAYS, tissue)[0]), 4) == expected["RE"]
        assert round(float(bed[0]), 2) == expected["BED"]
        assert round(float(eqd2_gy(bed, tissue)[0]), 2) == expected["EQD2"]


def test_bed_agrees_with_known_values() -> None:
    assert float(implant_bed_gy(np.array(146.0), 59.4, LATE)) == pytest.approx(153.47, abs=0.005)
    assert float(implant_bed_gy(np.array(110.0), 59.4, ACUTE)) == pytest.approx(111.27, abs=0.005)
    # 54 Gy in 3 fractions, a/b 10: 151 Gy; 50 in 5: 100 Gy, as trials quote them.
    assert external_bed_gy(ExternalBeam(54.0, 3), ACUTE) == pytest.approx(151.2)
    assert external_bed_gy(ExternalBeam(50.0, 5), ACUTE) == pytest.approx(100.0)


@pytest.mark.parametrize("half_life_days", [0.2, 2.7, 59.4])
def test_bed_agrees_with_the_linear_quadratic_model_integrated_over_time(half_life_days: float) -> None:
    """Unrepaired damage grows with the dose rate and decays with the repair half time. Twice the integral of
    rate times damage, over a/b, is the effect that pairs of lesions add to the dose (Lea and Catcheside)."""
    tissue, dose = Tissue(3.0, 0.1), 100.0
    mu, decay = log(2.0) / tissue.repair_half_time_days, log(2.0) / half_life_days
    step = 1e-3 * min(half_life_days, tissue.repair_half_time_days)
    times = np.arange(0.0, 40.0 * half_life_days, step)
    rate = dose * decay * np.exp(-decay * times)
    # I' = R - mu I, with R constant over a step.
    decay_factor, growth = exp(-mu * step), (1.0 - exp(-mu * step)) / mu
    unrepaired = lfilter([growth], [1.0, -decay_factor], rate)
    previous = np.concatenate([[0.0], unrepaired[:-1]])
    pairs = 2.0 * np.sum(rate * 0.5 * (previous + unrepaired)) * step
    integrated_bed = dose + pairs / tissue.alpha_beta_gy
    assert float(implant_bed_gy(np.array(dose), half_life_days, tissue)) == pytest.approx(
        integrated_bed, rel=2e-3
    )


@given(DOSES, st.sampled_from([ACUTE, LATE, Tissue(2.0, 0.02)]))
def test_bed_exceeds_dose_and_grows_with_it(doses: np.ndarray, tissue: Tissue) -> None:
    bed = implant_bed_gy(doses, HALF_LIFE_DAYS, tissue)
    assert bed.shape == doses.shape
    assert (bed >= doses).all()
    assert (np.diff(bed[np.argsort(doses, kind="stable")]) >= 0.0).all()


@given(DOSES)
def test_late_tissue_has_a_higher_bed_than_acute(doses: np.ndarray) -> None:
    late, acute = (implant_bed_gy(doses, HALF_LIFE_DAYS, t) for t in (LATE, ACUTE))
    assert (late >= acute).all()


@given(DOSES)
def test_a_longer_half_life_gives_a_lower_bed(doses: np.ndarray) -> None:
    assert (implant_bed_gy(doses, 59.4, LATE) <= implant_bed_gy(doses, 17.0, LATE)).all()


@given(DOSES, st.floats(1.0, 80.0), st.integers(1, 40))
def test_external_bed_is_added_to_every_sample(doses: np.ndarray, dose: float, fractions: int) -> None:
    beam = ExternalBeam(dose, fractions)
    implant_only = summed_bed_gy(doses, HALF_LIFE_DAYS, LATE)
    np.testing.assert_array_equal(implant_only, implant_bed_gy(doses, HALF_LIFE_DAYS, LATE))
    with_beams = summed_bed_gy(doses, HALF_LIFE_DAYS, LATE, (beam, beam))
    np.testing.assert_allclose(with_beams - implant_only, 2.0 * external_bed_gy(beam, LATE), rtol=1e-9)


@given(st.floats(1.0, 80.0), st.integers(1, 40))
def test_fractions_of_two_gray_are_their_own_eqd2(per_course: float, fractions: int) -> None:
    beam = ExternalBeam(2.0 * fractions, fractions)
    for tissue in (ACUTE, LATE):
        eqd2 = eqd2_gy(np.array(external_bed_gy(beam, tissue)), tissue)
        assert float(eqd2) == pytest.approx(beam.dose_gy)
    bed, bed_of_more_fractions = (
        external_bed_gy(ExternalBeam(per_course, n), LATE) for n in (fractions, fractions + 1)
    )
    assert bed_of_more_fractions < bed


def test_d90_of_bed_is_bed_of_d90_and_mean_bed_is_not_bed_of_the_mean() -> None:
    doses, weights = np.linspace(50.0, 400.0, 200), np.ones(200)
    bed = dose_volume(implant_bed_gy(doses, HALF_LIFE_DAYS, LATE), weights)
    d90 = dose_covering_percent(dose_volume(doses, weights), 90.0)
    assert dose_covering_percent(bed, 90.0) == float(implant_bed_gy(np.array(d90), HALF_LIFE_DAYS, LATE))
    mean = implant_bed_gy(np.array(doses.mean()), HALF_LIFE_DAYS, LATE)
    assert bed.doses_gy.mean() > float(mean)


def test_the_interval_does_not_change_bed() -> None:
    known, unknown = ExternalBeam(60.0, 30, interval_days=400.0), ExternalBeam(60.0, 30)
    assert external_bed_gy(known, LATE) == external_bed_gy(unknown, LATE)


def test_invalid_beams_and_tissues_are_refused() -> None:
    with pytest.raises(RequestError, match="external dose"):
        ExternalBeam(-1.0, 5)
    with pytest.raises(RequestError, match="external dose"):
        ExternalBeam(float("nan"), 5)
    with pytest.raises(RequestError, match="fractions"):
        ExternalBeam(10.0, 0)
    with pytest.raises(RequestError, match="alpha/beta"):
        Tissue(0.0)
    with pytest.raises(RequestError, match="repair time"):
        Tissue(3.0, float("nan"))
