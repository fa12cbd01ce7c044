"""Requests: models of requests, and the text in which a plan states its request."""
