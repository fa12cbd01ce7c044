"""The first tables: holdings, jobs with their events, and idempotent requests."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_number = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "holdings",
        sa.Column("number", _number, autoincrement=True, nullable=False),
        sa.Column("owner", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("case_id", sa.String(64), nullable=False),
        sa.Column("created_s", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_holdings"),
        sa.UniqueConstraint("owner", "kind", "id", "case_id", name="uq_holdings_owner_kind_id_case_id"),
    )
    op.create_index("ix_holdings_case_id", "holdings", ["case_id"])
    op.create_index("ix_holdings_kind_id", "holdings", ["kind", "id"])
    op.create_table(
        "jobs",
        sa.Column("number", _number, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("owner", sa.String(100), nullable=False),
        sa.Column("case_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("asked", sa.Text, nullable=False),
        sa.Column("plan_id", sa.String(64)),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("begun_by", sa.String(32)),
        sa.Column("losses", sa.Integer, nullable=False),
        sa.Column("submission", sa.Integer, nullable=False),
        sa.Column("phase", sa.String(20)),
        sa.Column("fraction", sa.Float, nullable=False),
        sa.Column("result_id", sa.String(64)),
        sa.Column("result_plan_id", sa.String(64)),
        sa.Column("problem", sa.Text),
        sa.Column("last_event", sa.Integer, nullable=False),
        sa.Column("created_s", sa.Float, nullable=False),
        sa.Column("ended_s", sa.Float),
        sa.PrimaryKeyConstraint("number", name="pk_jobs"),
        sa.UniqueConstraint("id", name="uq_jobs_id"),
    )
    for column in ("owner", "case_id", "state"):
        op.create_index(f"ix_jobs_{column}", "jobs", [column])
    op.create_table(
        "job_events",
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("number", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("phase", sa.String(20)),
        sa.Column("fraction", sa.Float, nullable=False),
        sa.Column("at_s", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("job_id", "number", name="pk_job_events"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_events_job_id", ondelete="CASCADE"),
    )
    op.create_table(
        "requests",
        sa.Column("owner", sa.String(100), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("created_s", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("owner", "key", name="pk_requests"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_requests_job_id", ondelete="CASCADE"),
    )
    op.create_index("ix_requests_job_id", "requests", ["job_id"])
