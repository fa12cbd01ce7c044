"""Logs: so many lines a second, and each a line, whatever senders put into it."""

import io
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from service_process import eventually

from service.logs.audit import audit_to
from service.logs.json_lines import AUDIT, JsonLines, TextLines, visible
from service.logs.rate_limit import ALL, MOST_KINDS, MOST_PER_S, LineRateLimit, RateLimitedHandler

Clock = list[float]


def logger_of(stream: io.StringIO, now: Clock, name: str = "test.rate") -> logging.Logger:
    logger = logging.getLogger(name)
    logger.handlers[:] = [RateLimitedHandler(stream, LineRateLimit(3, 5, lambda: now[0]))]
    logger.propagate = False
    logger.setLevel(logging.INFO)
    return logger


def test_lines_of_one_kind_are_so_many_a_second_and_the_rest_is_counted() -> None:
    stream, now = io.StringIO(), [0.0]
    logger = logger_of(stream, now)
    for number in range(1000):
        logger.warning("request %d is bad", number)
    logger.warning("something else")
    assert stream.getvalue().splitlines() == [*(f"request {n} is bad" for n in range(3)), "something else"]
    now[0] = 1.5
    logger.warning("later")
    summary = "997 more lines were left out that begin: request %d is bad"
    assert stream.getvalue().splitlines()[4:] == [summary, "later"]
    now[0] = 3.0
    logger.warning("request %d is bad", 7)
    assert stream.getvalue().splitlines()[6:] == ["request 7 is bad"]


def test_texts_that_are_made_up_are_counted_by_their_logger() -> None:
    stream, now = io.StringIO(), [0.0]
    logger = logger_of(stream, now)
    for number in range(1000):
        logger.warning(f"task {number} failed\n  at {number}")
    assert stream.getvalue().count("failed") == MOST_KINDS - 1
    logger.error("another level")
    assert "another level" in stream.getvalue()


def test_lines_that_stand_for_audit_lines_are_all_written() -> None:
    stream, now = io.StringIO(), [0.0]
    logger = logger_of(stream, now)
    for number in range(100):
        logger.error("not noted: %d", number, extra=ALL)
    assert stream.getvalue().splitlines() == [f"not noted: {number}" for number in range(100)]


def test_suppressed_lines_are_counted_at_the_end() -> None:
    stream, now = io.StringIO(), [0.0]
    logger = logger_of(stream, now)
    for _ in range(5):
        logger.warning("again")
    logger.handlers[0].close()
    assert stream.getvalue().endswith("2 more lines were left out that begin: again\n")


def test_suppressed_lines_are_counted_without_further_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.logs.rate_limit.TOLD_AFTER_S", 0.05)
    stream, now = io.StringIO(), [0.0]
    logger = logger_of(stream, now)
    for _ in range(5):
        logger.warning("again")
    assert "left out" not in stream.getvalue()
    now[0] = 1.0
    eventually(lambda: stream.getvalue().endswith("2 more lines were left out that begin: again\n"))


def test_the_first_line_of_a_kind_is_written_after_any_number_of_others() -> None:
    stream, now = io.StringIO(), [0.0]
    logger = logger_of(stream, now)
    for number in range(MOST_KINDS // 2):
        for _ in range(10):
            logger.error(f"kind {number}")
    logger.error("the disk is full")
    assert stream.getvalue().endswith("the disk is full\n")
    assert stream.getvalue().count("\n") <= MOST_KINDS + 5


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c %s"]), st.sampled_from([0.0, 0.1, 0.6])), max_size=80)
)
def test_every_line_is_written_or_counted(lines: list[tuple[str, float]]) -> None:
    now = [0.0]
    sparing = LineRateLimit(2, 4, lambda: now[0])
    written, counted = 0, 0
    since: dict[str, list[float]] = {}
    for text, pause in lines:
        now[0] += pause
        counted += sum(count for _, count in sparing.left_out())
        record = logging.LogRecord("x", logging.INFO, "", 0, text, ("",) if "%" in text else (), None)
        if sparing.admits(record):
            written += 1
            since.setdefault(text, []).append(now[0])
    counted += sum(count for _, count in sparing.left_out(at_end=True))
    assert written + counted == len(lines)
    for times in since.values():
        # Seconds begin with a kind's first line: no more than two of them meet in any second.
        assert all(sum(t <= u < t + 1.0 for u in times) <= 4 for t in times)


def test_kinds_are_not_kept_without_end() -> None:
    sparing = LineRateLimit(clock_s=lambda: 0.0)
    for number in range(2 * MOST_KINDS):
        sparing.admits(logging.LogRecord("x", logging.INFO, "", 0, f"text {number}", (), None))
    assert len(sparing._seconds) <= MOST_KINDS
    assert sum(count for _, count in sparing.left_out(at_end=True)) == 2 * MOST_KINDS - (MOST_KINDS - 1)


HIDDEN = [
    "\n",
    "\r",
    "\x1b[2J",
    "\x7f",
    "\x85",
    "\x9b31m",
    "\u2028",
    "\u2029",
    "\u200b",
    "\u202e",
    "\ufeff",
    "\ud800",
]


def with_traceback(text: str) -> logging.LogRecord:
    try:
        raise ValueError(text)
    except ValueError:
        return logging.LogRecord("x", logging.ERROR, "", 0, "said %s", (text,), sys.exc_info())


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize(
    "formatter", [JsonLines, lambda: TextLines("%(levelname)s %(name)s: %(message)s")], ids=["json", "text"]
)
def test_nothing_in_a_line_ends_it_or_is_unseen(
    formatter: Callable[[], logging.Formatter], hidden: str
) -> None:
    line = formatter().format(with_traceback(f"before{hidden}after"))
    first = line.splitlines()[0]
    assert "before" in first and "after" in first
    assert all(c.isprintable() or c == "\n" for c in line)
    if isinstance(formatter(), JsonLines):
        assert line.isascii() and json.loads(line)["message"] == f"said before{hidden}after"


@given(st.text())
def test_what_is_seen_stays(text: str) -> None:
    assert visible(text).isprintable()
    if text.isprintable():
        assert visible(text) == text


def test_audit_lines_are_all_written(tmp_path: Path) -> None:
    handler = audit_to(tmp_path / "audit.jsonl")
    try:
        for number in range(20 * MOST_PER_S):
            AUDIT.info("GET /\u2028%d", number)
    finally:
        AUDIT.removeHandler(handler)
        handler.close()
    lines = (tmp_path / "audit.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["message"] for line in lines] == [f"GET /\u2028{n}" for n in range(200)]
