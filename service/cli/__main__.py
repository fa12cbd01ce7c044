"""`python -m service.cli`: the command line, if no `seedpath` is installed."""

import sys

from service.cli.main import main

sys.exit(main())
