"""When what is held was last used. Of earlier rows it is what the jobs tell that are remembered."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, and fill it where a job worked on a thing or made it."""
    op.add_column("holdings", sa.Column("used_s", sa.Float))
    op.execute(
        "UPDATE holdings SET used_s = ("
        " SELECT max(coalesce(jobs.ended_s, jobs.created_s)) FROM jobs"
        " WHERE jobs.owner = holdings.owner AND"
        " CASE WHEN holdings.kind = 'cases' THEN holdings.id = jobs.case_id"
        " ELSE holdings.id IN (jobs.plan_id, jobs.result_id, jobs.result_plan_id) END)"
    )
