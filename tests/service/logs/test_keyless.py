"""Log lines of requests without a key: a limit per second and account, and a count of the rest."""

import asyncio

import pytest

from service.logs.keyless import MOST_PER_S, KeylessLineLimit


def test_lines_of_an_account_are_limited_and_the_rest_counted_without_a_further_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("service.logs.keyless.SECOND_S", 0.05)

    async def send_many() -> list[tuple[str, int]]:
        is_reported, lines = asyncio.Event(), []

        def tell(account: str, count: int) -> None:
            lines.append((account, count))
            is_reported.set()

        limit = KeylessLineLimit(tell)
        assert sum(limit.has_line("one") for _ in range(100)) == MOST_PER_S
        assert limit.has_line("other") and lines == []
        await is_reported.wait()
        # The limit is reset each second.
        assert sum(limit.has_line("one") for _ in range(100)) == MOST_PER_S
        limit.end_second()
        await asyncio.sleep(0.1)
        return lines

    assert asyncio.run(asyncio.wait_for(send_many(), 60.0)) == [("one", 100 - MOST_PER_S)] * 2
