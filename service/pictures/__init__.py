"""Pictures of a plan: one for each path, and the skin access map. No pyplot, hence no global state."""
