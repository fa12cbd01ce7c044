"""Plan files: models, fields and text of plans, evaluations and replannings."""
