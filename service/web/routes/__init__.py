"""Routes: one module for each thing that has an address."""
