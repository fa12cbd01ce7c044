"""`seedpath serve`: start the REST service."""

import argparse
import os

from service.cli.exit_status import DONE
from service.cli.terminal import say
from service.settings import from_environment


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add its arguments."""
    parser.add_argument("--host", help="127.0.0.1; others need keys and TLS (SEEDPATH_HOST)")
    parser.add_argument("--port", type=_port, help="8000; 0 takes a free one (SEEDPATH_PORT)")
    parser.set_defaults(run=_run)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: give a number from 0 to 65535")
    return int(text)


def _run(args: argparse.Namespace) -> int:
    overrides = {"SEEDPATH_HOST": args.host, "SEEDPATH_PORT": args.port}
    environment = {name: str(value) for name, value in overrides.items() if value is not None}
    settings = from_environment(os.environ | environment)
    from service.host.private_files import private_files
    from service.jobs.memory_limits import memory_text
    from service.logs.audit import audit_to
    from service.logs.json_lines import log_to_stderr
    from service.storage.reserved_space import audit_room
    from service.web.app import create_app
    from service.web.server import address, listen, serve

    log_to_stderr(settings.log_format)
    with private_files(), listen(settings.host, settings.port) as listening:
        app = create_app(settings)
        audit_to(settings.audit, settings.audit_rotation, audit_room(settings))
        scheme = "http" if settings.tls_certificate is None else "https"
        say(f"serving on {address(listening, scheme)}/v1, files in {settings.data_dir}")
        say(memory_text(settings))
        serve(app, listening)
    return DONE
