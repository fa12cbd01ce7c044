"""Records: what the parts of the planner hand on, from the request to the verified plan."""
