"""TG-43: the dose of one seed by formula and by table, and the sum over many."""
