"""Metrics for Prometheus. One registry for each app, because a process may have several."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.jobs.dispatcher import Dispatcher
from service.jobs.job_table import JobTable
from service.logs import audit
from service.storage.errors import Unavailable
from service.storage.reserved_space import ReservedSpace

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0)
"""From an evaluated path to a plan that was waited for [U]."""


class Metrics:
    """Requests as they are answered; jobs and workers at the time of the scrape."""

    def __init__(self, job_table: JobTable, dispatcher: Dispatcher, reserve: ReservedSpace) -> None:
        self._registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self.requests = Counter("seedpath_requests", "Requests answered", labels, registry=self._registry)
        self.seconds = Histogram(
            "seedpath_request_seconds",
            "Time to answer",
            ("method", "route"),
            buckets=BUCKETS_S,
            registry=self._registry,
        )
        self.under_way = Gauge(
            "seedpath_requests_under_way", "Requests not answered yet", registry=self._registry
        )
        self._registry.register(_Jobs(job_table, dispatcher))
        self._registry.register(_Records(reserve))

    def text(self) -> bytes:
        """The exposition, as text."""
        return generate_latest(self._registry)


class _Jobs(Collector):
    def __init__(self, job_table: JobTable, dispatcher: Dispatcher) -> None:
        self._job_table, self._dispatcher = job_table, dispatcher

    def describe(self) -> Iterator[Metric]:
        """Nothing that could be asked before the first scrape."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Jobs in each state, workers, and whether the database answers."""
        jobs = GaugeMetricFamily("seedpath_jobs", "Jobs in each state", labels=("state",))
        answers = 1.0
        try:
            for state, count in self._job_table.counts().items():
                jobs.add_metric((state,), count)
        except Unavailable:
            answers = 0.0
        yield jobs
        yield GaugeMetricFamily("seedpath_database_up", "Whether the database answers", answers)
        yield GaugeMetricFamily(
            "seedpath_workers", "Workers for jobs whose heartbeats arrive", self._dispatcher.workers()
        )
        silent = self._dispatcher.workforce_status.silent
        yield GaugeMetricFamily(
            "seedpath_silent_workers", "Workers for jobs whose heartbeats stopped", silent
        )


class _Records(Collector):
    def __init__(self, reserve: ReservedSpace) -> None:
        self._reserve = reserve

    def describe(self) -> Iterator[Metric]:
        """Nothing that could be asked before the first scrape."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Whether there is room to take things in, and what became of lines of the audit log."""
        complete = float(self._reserve.is_whole)
        yield GaugeMetricFamily(
            "seedpath_reserve_whole", "Whether the room kept back for records is", complete
        )
        yield GaugeMetricFamily(
            "seedpath_audit_lines_waiting", "Lines of the audit log not written yet", audit.waiting()
        )
        yield CounterMetricFamily(
            "seedpath_audit_unnoted",
            "Requests without a line: refused, or about no case",
            audit.without_line(),
        )
