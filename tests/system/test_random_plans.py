"""Random path plans come out true and are read back; how they are made and tried: random_plans."""

import pytest
from random_plans import trial

QUICK, LONG = range(4), range(4, 110)


@pytest.mark.parametrize("number", QUICK)
def test_a_random_plan_is_true_and_is_read_back(number: int) -> None:
    assert trial(number).faults == ()


@pytest.mark.long
@pytest.mark.parametrize("number", LONG)
def test_of_many_random_plans_each_is_true_and_is_read_back(number: int) -> None:
    assert trial(number).faults == ()
