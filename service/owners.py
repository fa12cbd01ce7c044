"""Owners: whose request it is, as the gate found out."""

from starlette.requests import HTTPConnection


def owner_of(request: HTTPConnection) -> str:
    """The owner that a request speaks for."""
    owner = request.state.owner
    assert isinstance(owner, str)
    return owner
