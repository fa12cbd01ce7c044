"""Owner: whose request it is, as the middleware found out, and the bytes of it that are in memory."""

from starlette.requests import HTTPConnection

from service.web.middleware.rate_limit import HeldBytes


def owner_of(request: HTTPConnection) -> str:
    """The owner of a request."""
    owner = request.state.owner
    assert isinstance(owner, str)
    return owner


def held_by(request: HTTPConnection) -> HeldBytes:
    """The bytes that a request keeps in memory until it ends."""
    held_bytes = request.state.held
    assert isinstance(held_bytes, HeldBytes)
    return held_bytes
