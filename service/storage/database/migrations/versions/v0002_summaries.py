"""Plans are known in lists by a summary; jobs tell the time left. Of earlier ones nothing is known: null."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("holdings", sa.Column("summary", sa.Text))
    op.add_column("jobs", sa.Column("begun_s", sa.Float))
    op.add_column("jobs", sa.Column("left_s", sa.Float))
    op.add_column("job_events", sa.Column("left_s", sa.Float))
