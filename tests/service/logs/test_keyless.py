"""LineSink of those who have no key: so many a second of each account, and a count of the rest."""

import asyncio

import pytest

from service.logs.keyless import MOST_PER_S, KeylessLineLimit


def test_lines_of_an_address_are_limited_and_the_others_counted_without_further_requests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("service.logs.keyless.SECOND_S", 0.05)

    async def flood() -> list[tuple[str, int]]:
        over, lines = asyncio.Event(), []

        def tell(account: str, count: int) -> None:
            lines.append((account, count))
            over.set()

        strangers = KeylessLineLimit(tell)
        assert sum(strangers.has_line("one") for _ in range(100)) == MOST_PER_S
        assert strangers.has_line("other") and lines == []
        await over.wait()
        # The next second begins anew.
        assert sum(strangers.has_line("one") for _ in range(100)) == MOST_PER_S
        strangers.end_second()
        await asyncio.sleep(0.1)
        return lines

    assert asyncio.run(asyncio.wait_for(flood(), 60.0)) == [("one", 100 - MOST_PER_S)] * 2
