"""Summaries: what lists show of cases and plans besides their ids.

A plan's summary is stored in its row. If the row has none, as for plans of an earlier version, it is made
from the plan's file, and stored. A case's summary comes from its record.
"""

import logging
from collections.abc import Sequence

from service.schemas.plan.file import UnreadablePlanFile, read_kept_plan
from service.schemas.plan_summary import PlanSummary, read_summary, summary_text
from service.schemas.result_kinds import ResultKind
from service.storage.case_summary import CaseSummary, case_summary_of
from service.storage.database.connection import Database
from service.storage.errors import StorageError, Unavailable
from service.storage.file_store import Store
from service.storage.ownership import LOCK, Holding, summarise

_log = logging.getLogger("seedpath.store")


class Summaries:
    """Summaries of what a service stores. None means a file of another version, or a damaged one: it is
    still listed, and reading it says why."""

    def __init__(self, database: Database, store: Store) -> None:
        self._database = database
        self._store = store

    def of_cases(self, holdings: Sequence[Holding]) -> list[CaseSummary | None]:
        """The summaries of these cases."""
        return [self._of_case(holding) for holding in holdings]

    def of_plans(self, holdings: Sequence[Holding]) -> list[PlanSummary | None]:
        """The summaries of these plans."""
        return [read_summary(holding.summary) or self._made_again(holding) for holding in holdings]

    def _of_case(self, holding: Holding) -> CaseSummary | None:
        try:
            return case_summary_of(self._store.case(holding.id).record)
        except StorageError:
            return None

    def _made_again(self, holding: Holding) -> PlanSummary | None:
        try:
            text = summary_text(read_kept_plan(self._store.kept(ResultKind.PLAN, holding.id), holding.id))
        except (StorageError, UnreadablePlanFile) as error:
            _log.warning("plan %s has no summary: %s", holding.id, error)
            return None
        try:
            self._database.write(lambda c: summarise(c, holding.id, text), LOCK, needed=False)
        except (OSError, Unavailable) as error:
            # A list can be read even if nothing can be written.
            _log.warning("the summary of plan %s is not stored: %s", holding.id, error)
        return read_summary(text)
