"""Tables of the service's records. Times are seconds since 1970, UTC.

    holdings     what an owner may see: cases, plans, results; the files are in the store
    sizes        the bytes that each of them takes in the store
    owners       the bytes that each owner keeps: a running sum of sizes (service.storage.kept_bytes)
    jobs         accepted work, its state, and its result
    job_events   the events of each job, in order; a client that returns resumes after the last one it saw
    requests     Idempotency-Keys, with the request for which each was first used

A row and its file in the store are created under one lock (`Database.write`), so that one exists without the
other only after a crash.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

_number = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts up by itself only what it calls an integer."""

holdings = Table(
    "holdings",
    metadata,
    Column("number", _number, primary_key=True, autoincrement=True),
    Column("owner", String(100), nullable=False),
    # A made.ResultKind, or "cases".
    Column("kind", String(20), nullable=False),
    Column("id", String(64), nullable=False),
    # The case that it was made from; a case's own.
    Column("case_id", String(64), nullable=False, index=True),
    Column("created_s", Float, nullable=False),
    # When it was last ordered again, or ordered work on; null where that never was.
    Column("used_s", Float),
    # By what a plan is known in lists, as JSON: made again from the plan's file where it lacks.
    Column("summary", Text),
    UniqueConstraint("owner", "kind", "id", "case_id"),
    Index(None, "kind", "id"),
    Index(None, "owner", "case_id"),
)

sizes = Table(
    "sizes",
    metadata,
    Column("kind", String(20), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("bytes", BigInteger, nullable=False),
)

owners = Table(
    "owners",
    metadata,
    Column("owner", String(100), primary_key=True),
    Column("kept_bytes", BigInteger, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("number", _number, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("owner", String(100), nullable=False, index=True),
    Column("case_id", String(64), nullable=False, index=True),
    # What is asked: a made.ResultKind, its body as JSON, and the plan that it is about.
    Column("kind", String(20), nullable=False),
    Column("asked", Text, nullable=False),
    Column("plan_id", String(64)),
    Column("state", String(10), nullable=False, index=True),
    # How often a worker has begun it, and by which call; how often the process that worked died under it; and
    # how often it was handed to the scheduler again.
    Column("attempt", Integer, nullable=False),
    Column("begun_by", String(32)),
    Column("losses", Integer, nullable=False),
    Column("submission", Integer, nullable=False),
    Column("phase", String(20)),
    Column("fraction", Float, nullable=False),
    # When the attempt began, and what the rest of it takes, as estimated with its last event.
    Column("begun_s", Float),
    Column("left_s", Float),
    Column("result_id", String(64)),
    # The plan that was made, or is in what was made.
    Column("result_plan_id", String(64)),
    Column("problem", Text),
    Column("last_event", Integer, nullable=False),
    Column("created_s", Float, nullable=False),
    Column("ended_s", Float),
)

job_events = Table(
    "job_events",
    metadata,
    Column("job_id", String(32), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("state", String(10), nullable=False),
    Column("phase", String(20)),
    Column("fraction", Float, nullable=False),
    Column("left_s", Float),
    Column("at_s", Float, nullable=False),
)

requests = Table(
    "requests",
    metadata,
    Column("owner", String(100), primary_key=True),
    Column("key", String(255), primary_key=True),
    # sha256 of method, address and body.
    Column("fingerprint", String(64), nullable=False),
    Column("job_id", String(32), ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_s", Float, nullable=False),
)
