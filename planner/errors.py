"""Errors that the planner raises about a request."""

from anatomy.errors import AnatomyError


class RequestError(AnatomyError):
    """A request field is absurd, unknown, or contradicts another."""
