"""The browser that tests of the page drive, and what a page says on its console."""

import os
import shutil
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Page

CHROMIUM = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)


PATIENCE_MS = 300_000
"""Longer than any of this takes on a loaded machine that draws without a graphics card."""


SOFTWARE_GL = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


ARGUMENTS = [*SOFTWARE_GL, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
"""Of Chromium, which has no sandbox for the superuser."""


TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


class Said:
    """What a page said on the console, and whom it asked."""

    def __init__(self, page: Page) -> None:
        self.problems: list[str] = []
        self.hosts: set[str] = set()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))

    def _console(self, message: Any) -> None:
        # A refusal that a test provokes is told by the browser too; hints on speed are none.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.problems.append(message.text)
