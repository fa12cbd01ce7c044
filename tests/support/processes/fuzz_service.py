"""The service as a process whose work ends at once, so that what is asked of it can be anything.

python fuzz_service.py [--host ...] [--port ...]        as `seedpath serve`
"""

import sys
from pathlib import Path

import instant_work

from service.cli.main import main
from service.interactive import appraisers as appraising
from service.settings import Settings
from service.web import app
from service.web.app import create_app

SCRIPT = Path(__file__)

if __name__ == "__main__":

    def app_of_fakes(settings: Settings) -> object:
        return create_app(settings, instant_work.WORK)

    appraising.appraise, appraising.cut = instant_work.appraise, instant_work.cut
    app.create_app = app_of_fakes
    sys.exit(main(sys.argv[1:]))
