"""Local: without API keys the service serves this machine only.

It listens on a loopback address, and answers only requests addressed to one: a web page that has its own
name resolved to 127.0.0.1 sends that name as host.
"""

import ipaddress

from fastapi import Request

from anatomy.errors import AnatomyError
from service.problems import problem


def is_loopback(host: str) -> bool:
    """Whether a host name or address, without port, can only mean this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


def refuse_open_host(host: str) -> None:
    """Raises AnatomyError for a host to listen on that others can reach."""
    if not is_loopback(host):
        raise AnatomyError(
            "--host",
            f"{host!r} can be reached by others, and this service has no API keys to tell who may ask",
            "Listen on 127.0.0.1, and let a proxy or an SSH tunnel that checks its users pass requests on.",
        )


async def refuse_other_hosts(request: Request) -> None:
    """Raises Problem for a request that was addressed to another name than this machine's own."""
    if not is_loopback(request.url.hostname or ""):
        raise problem("not-local", "The Host header names another machine. Use 127.0.0.1 or localhost.")
