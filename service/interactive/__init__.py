"""Interactive: answers in milliseconds, from warm processes that hold scenes."""
