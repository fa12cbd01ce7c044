"""HTTP: bodies, ETags, pages of lists, answers of jobs, and the owner of a request."""
