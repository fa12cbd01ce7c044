"""Owners: whose request it is. Without API keys there is one owner, whoever sits at this machine."""

from fastapi import Request

LOCAL = "local"


def owner_of(request: Request) -> str:
    """The owner that a request speaks for."""
    del request
    return LOCAL
