"""When what is held was last used. Of earlier rows it is what the jobs tell that are remembered."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


USES = " UNION ALL ".join(
    f"SELECT owner, {kind} AS kind, {id} AS id, coalesce(ended_s, created_s) AS at_s FROM jobs"
    for kind, id in (
        ("'cases'", "case_id"),
        ("'plans'", "plan_id"),
        ("'plans'", "result_plan_id"),
        ("kind", "result_id"),
    )
)
"""What a job worked on, and what it made."""


def upgrade() -> None:
    """Add the column, and fill it where a job used a thing after it was made. Jobs are gone through once."""
    op.add_column("holdings", sa.Column("used_s", sa.Float))
    op.execute(
        "CREATE TEMPORARY TABLE uses AS"
        f" SELECT owner, kind, id, max(at_s) AS at_s FROM ({USES}) AS use GROUP BY owner, kind, id"
    )
    op.execute("CREATE INDEX ix_uses ON uses (owner, kind, id)")
    op.execute(
        "UPDATE holdings SET used_s = (SELECT at_s FROM uses WHERE uses.owner = holdings.owner"
        " AND uses.kind = holdings.kind AND uses.id = holdings.id AND uses.at_s > holdings.created_s)"
    )
    op.execute("DROP TABLE uses")
