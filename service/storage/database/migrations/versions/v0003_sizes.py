"""What cases and results take, and what each owner keeps. Of earlier ones it is found out at a start."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, and an index by which an owner's share of a case is found."""
    op.create_table(
        "sizes",
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("kind", "id", name="pk_sizes"),
    )
    op.create_table(
        "owners",
        sa.Column("owner", sa.String(100), nullable=False),
        sa.Column("kept_bytes", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("owner", name="pk_owners"),
    )
    op.create_index("ix_holdings_owner_case_id", "holdings", ["owner", "case_id"])
