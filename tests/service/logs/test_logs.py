"""Logs: a limited number of lines per second, and one line per record whatever its text contains."""

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


def logger_of(stream: io.StringIO, clock: Clock, name: str = "test.rate") -> logging.Logger:
    logger = logging.getLogger(name)
    logger.handlers[:] = [RateLimitedHandler(stream, LineRateLimit(3, 5, lambda: clock[0]))]
    logger.propagate = False
    logger.setLevel(logging.INFO)
    return logger


def test_lines_of_one_kind_are_limited_per_second_and_the_rest_is_counted() -> None:
    stream, clock = io.StringIO(), [0.0]
    logger = logger_of(stream, clock)
    for number in range(1000):
        logger.warning("request %d is bad", number)
    logger.warning("something else")
    assert stream.getvalue().splitlines() == [*(f"request {n} is bad" for n in range(3)), "something else"]
    clock[0] = 1.5
    logger.warning("later")
    summary = "997 more lines were left out that begin: request %d is bad"
    assert stream.getvalue().splitlines()[4:] == [summary, "later"]
    clock[0] = 3.0
    logger.warning("request %d is bad", 7)
    assert stream.getvalue().splitlines()[6:] == ["request 7 is bad"]


def test_lines_with_generated_texts_are_counted_by_logger() -> None:
    stream, clock = io.StringIO(), [0.0]
    logger = logger_of(stream, clock)
    for number in range(1000):
        logger.warning(f"task {number} failed\n  at {number}")
    assert stream.getvalue().count("failed") == MOST_KINDS - 1
    logger.error("another level")
    assert "another level" in stream.getvalue()


def test_lines_that_replace_audit_lines_are_all_written() -> None:
    stream, clock = io.StringIO(), [0.0]
    logger = logger_of(stream, clock)
    for number in range(100):
        logger.error("not noted: %d", number, extra=ALL)
    assert stream.getvalue().splitlines() == [f"not noted: {number}" for number in range(100)]


def test_left_out_lines_are_reported_when_the_handler_closes() -> None:
    stream, clock = io.StringIO(), [0.0]
    logger = logger_of(stream, clock)
    for _ in range(5):
        logger.warning("again")
    logger.handlers[0].close()
    assert stream.getvalue().endswith("2 more lines were left out that begin: again\n")


def test_left_out_lines_are_reported_without_a_further_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.logs.rate_limit.TOLD_AFTER_S", 0.05)
    stream, clock = io.StringIO(), [0.0]
    logger = logger_of(stream, clock)
    for _ in range(5):
        logger.warning("again")
    assert "left out" not in stream.getvalue()
    clock[0] = 1.0
    eventually(lambda: stream.getvalue().endswith("2 more lines were left out that begin: again\n"))


def test_the_first_line_of_a_kind_is_written_even_from_a_busy_logger() -> None:
    stream, clock = io.StringIO(), [0.0]
    logger = logger_of(stream, clock)
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
    clock = [0.0]
    limit = LineRateLimit(2, 4, lambda: clock[0])
    written_count, counted = 0, 0
    times_of_text: dict[str, list[float]] = {}
    for text, pause in lines:
        clock[0] += pause
        counted += sum(count for _, count in limit.left_out())
        record = logging.LogRecord("x", logging.INFO, "", 0, text, ("",) if "%" in text else (), None)
        if limit.admits(record):
            written_count += 1
            times_of_text.setdefault(text, []).append(clock[0])
    counted += sum(count for _, count in limit.left_out(at_end=True))
    assert written_count + counted == len(lines)
    for times in times_of_text.values():
        # A kind's second starts with its first line: any second overlaps at most two of them.
        assert all(sum(t <= u < t + 1.0 for u in times) <= 4 for t in times)


def test_the_number_of_remembered_kinds_is_bounded() -> None:
    limit = LineRateLimit(clock_s=lambda: 0.0)
    for number in range(2 * MOST_KINDS):
        limit.admits(logging.LogRecord("x", logging.INFO, "", 0, f"text {number}", (), None))
    assert len(limit._seconds) <= MOST_KINDS
    assert sum(count for _, count in limit.left_out(at_end=True)) == 2 * MOST_KINDS - (MOST_KINDS - 1)


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


def record_with_traceback(text: str) -> logging.LogRecord:
    try:
        raise ValueError(text)
    except ValueError:
        return logging.LogRecord("x", logging.ERROR, "", 0, "said %s", (text,), sys.exc_info())


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize(
    "formatter", [JsonLines, lambda: TextLines("%(levelname)s %(name)s: %(message)s")], ids=["json", "text"]
)
def test_control_characters_are_escaped(formatter: Callable[[], logging.Formatter], hidden: str) -> None:
    line = formatter().format(record_with_traceback(f"before{hidden}after"))
    first_line = line.splitlines()[0]
    assert "before" in first_line and "after" in first_line
    assert all(c.isprintable() or c == "\n" for c in line)
    if isinstance(formatter(), JsonLines):
        assert line.isascii() and json.loads(line)["message"] == f"said before{hidden}after"


@given(st.text())
def test_printable_text_is_unchanged(text: str) -> None:
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
