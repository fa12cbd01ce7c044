"""Sources: one published seed model in each file. A new model is a new file and an entry in SOURCES."""

from anatomy.names.did_you_mean import did_you_mean
from planner.errors import RequestError
from planner.sources.amersham_6702 import AMERSHAM_6702
from planner.sources.amersham_6711 import AMERSHAM_6711
from planner.sources.bebig_i25_s06 import BEBIG_I25_S06
from planner.sources.best_2301 import BEST_2301
from planner.sources.best_2335 import BEST_2335
from planner.sources.isoaid_iai125a import ISOAID_IAI125A
from planner.sources.nucletron_130_002 import NUCLETRON_130_002
from planner.sources.source import Source
from planner.sources.sourcetech_stm1251 import SOURCETECH_STM1251
from planner.sources.theragenics_200 import THERAGENICS_200

SOURCES = (
    AMERSHAM_6711,
    AMERSHAM_6702,
    BEBIG_I25_S06,
    BEST_2301,
    ISOAID_IAI125A,
    NUCLETRON_130_002,
    SOURCETECH_STM1251,
    BEST_2335,
    THERAGENICS_200,
)
"""The models that a request may use: I-125 first, beginning with the default, then Pd-103."""


def source_named(name: str) -> Source:
    """The source of that name. Raises RequestError, naming all known sources."""
    for source in SOURCES:
        if source.name == name:
            return source
    names = [source.name for source in SOURCES]
    raise RequestError(("seeds", "model"), f"{name!r} is not a known source", did_you_mean(name, names))


__all__ = ["SOURCES", "Source", "source_named"]
