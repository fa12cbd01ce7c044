"""Alembic's entry point: run migrations on the connection that `service.storage.database.migrate` passes."""

from alembic import context

from service.storage.database.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata)
context.run_migrations()
