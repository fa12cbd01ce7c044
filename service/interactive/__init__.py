"""Interactive: answers within milliseconds, from warm processes that cache scenes."""
