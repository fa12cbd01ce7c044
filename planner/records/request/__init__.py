"""Request: what is asked of a plan, one section of it a module."""
