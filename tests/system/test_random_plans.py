"""Random path plans pass verification and are read back; random_plans makes and tests them."""

import pytest
from random_plans import trial

QUICK, LONG = range(4), range(4, 110)


@pytest.mark.parametrize("number", QUICK)
def test_a_random_plan_is_verified_and_read_back(number: int) -> None:
    assert trial(number).faults == ()


@pytest.mark.long
@pytest.mark.parametrize("number", LONG)
def test_each_of_many_random_plans_is_verified_and_read_back(number: int) -> None:
    assert trial(number).faults == ()
