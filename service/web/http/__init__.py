"""HTTP: bodies, ETags, pages of lists, answers of jobs, and who asks."""
