"""Alembic's entry: run migrations on the connection that `service.database.migrate` hands over."""

from alembic import context

from service.database.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata)
context.run_migrations()
