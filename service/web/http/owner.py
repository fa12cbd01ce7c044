"""Owners: whose request it is, as the gate found out, and what it holds in memory of what he sent."""

from starlette.requests import HTTPConnection

from service.web.middleware.rate_limit import HeldBytes


def owner_of(request: HTTPConnection) -> str:
    """The owner that a request speaks for."""
    owner = request.state.owner
    assert isinstance(owner, str)
    return owner


def held_by(request: HTTPConnection) -> HeldBytes:
    """What a request holds in memory until it ends."""
    held = request.state.held
    assert isinstance(held, HeldBytes)
    return held
