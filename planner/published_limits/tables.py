"""Organ limits as published tables give them, each with where it was read.

The tables in circulation conflict, so a limit keeps its protocol's name and its organ's words. None was read
in the protocol itself. All are for fractionated external beams: planner.dose.organ_limits.compare compares in
BED. No readable guideline gives thoracic limits for iodine-125.
"""

from anatomy.names.did_you_mean import did_you_mean
from planner.errors import RequestError
from planner.published_limits.limit import OrganLimit, Protocol, Scope
from planner.records.organ_limits import LimitKind

_Row = tuple[str, LimitKind, float | None, float | None, Scope, str]


def _max(organ: str, dose_gy: float) -> _Row:
    return organ, LimitKind.MAX, dose_gy, None, Scope.WHOLE, ""


def _volume(organ: str, dose_gy: float, volume_cc: float, scope: Scope = Scope.WHOLE) -> _Row:
    return organ, LimitKind.VOLUME, dose_gy, volume_cc, scope, ""


def _lungs(organ: str, kind: LimitKind, dose_gy: float, volume_cc: float) -> _Row:
    return organ, kind, dose_gy, volume_cc, Scope.WHOLE, "of both lungs, the tumour left out"


def _relative(organ: str, note: str) -> _Row:
    return organ, LimitKind.RELATIVE, None, None, Scope.WHOLE, note


def _protocol(name: str, fractions: int, source: str, rows: tuple[_Row, ...]) -> Protocol:
    limits = (
        OrganLimit(name, organ, kind, dose, volume, fractions, scope, note)
        for organ, kind, dose, volume, scope, note in rows
    )
    return Protocol(name, fractions, source, tuple(limits))


_OF_RX = "105 % of the prescription, for central tumours"
_EITHER, _SPARED = LimitKind.VOLUME_OR_SPARED, LimitKind.SPARED

RTOG_0813 = _protocol(
    "RTOG_0813_5fx",
    5,
    'score card "RTOG 0813" of a public planning-system script; lung, plexus and airway rows also in public '
    "teaching notes, and the maxima in a copy of NCCN NSCLC Table 3",
    (
        _volume("SpinalCord", 22.5, 0.25),
        _volume("SpinalCord", 13.5, 0.5),
        _max("SpinalCord", 30.0),
        _volume("BrachialPlexus_Ipsi", 30.0, 3.0),
        _max("BrachialPlexus_Ipsi", 32.0),
        _volume("Skin", 30.0, 10.0),
        _max("Skin", 32.0),
        _volume("Esophagus (non-adjacent wall)", 27.5, 5.0, Scope.NOT_ADJACENT),
        _relative("Esophagus", _OF_RX),
        _volume("Heart/pericardium", 32.0, 15.0),
        _relative("Heart", _OF_RX),
        _volume("GreatVessels (non-adjacent wall)", 47.0, 10.0, Scope.NOT_ADJACENT),
        _relative("GreatVessels", _OF_RX),
        _volume("Trachea+ipsi bronchus (non-adjacent wall)", 18.0, 4.0, Scope.NOT_ADJACENT),
        _relative("Trachea+bronchus", _OF_RX),
        _lungs("Lungs", _EITHER, 12.5, 1500.0),
        _lungs("Lungs", _EITHER, 13.5, 1000.0),
        _relative("Lungs", "V20 below 10 % of both lungs, 15 % a minor deviation, in its own fractions"),
        _volume("ChestWall", 30.0, 30.0, Scope.UNVERIFIED),
    ),
)

RTOG_0236 = _protocol(
    "RTOG_0236_3fx_Dmax",
    3,
    "copy of NCCN NSCLC Table 3, 3-fraction column, said to rest on RTOG 0618, 0813 and 0915: the family of "
    "RTOG 0236, not its text",
    (
        _max("SpinalCord", 18.0),
        _max("Esophagus", 27.0),
        _max("BrachialPlexus", 24.0),
        _max("Heart/pericardium", 30.0),
        ("GreatVessels", LimitKind.UNSTATED, None, None, Scope.WHOLE, ""),
        _max("Trachea+proximal bronchi", 30.0),
        _max("Rib", 30.0),
        _max("Skin", 24.0),
    ),
)

NCCN_5 = _protocol(
    "NCCN_Table3_5fx_Dmax",
    5,
    "copy of NCCN NSCLC Table 3, 5-fraction column",
    (
        _max("SpinalCord", 30.0),
        _relative("Esophagus", _OF_RX),
        _max("BrachialPlexus", 32.0),
        _relative("Heart", _OF_RX),
        _relative("GreatVessels", _OF_RX),
        _relative("Trachea/bronchi", _OF_RX),
        _max("Skin", 32.0),
    ),
)

TG101_5 = _protocol(
    "TG101_like_5fx",
    5,
    "public notes that name AAPM TG-101 (10.1118/1.3438081) and clinical literature, 5 fractions",
    (
        *(_max("Bronchus", 33.0), _volume("Bronchus", 21.0, 0.5)),
        *(_max("Esophagus", 35.0), _volume("Esophagus", 19.5, 5.0)),
        *(_max("GreatVessels", 53.0), _volume("GreatVessels", 47.0, 10.0)),
        *(_max("Heart", 38.0), _volume("Heart", 32.0, 15.0)),
        *(_max("Trachea", 40.0), _volume("Trachea", 16.5, 4.0)),
        *(_lungs("Lung", _SPARED, 13.5, 1000.0), _lungs("Lung", _SPARED, 12.5, 1500.0)),
        *(_max("Ribs", 43.0), _volume("Ribs", 35.0, 1.0)),
    ),
)

TG101_3 = _protocol(
    "TG101_like_3fx",
    3,
    "public notes that name AAPM TG-101 (10.1118/1.3438081) and clinical literature, 3 fractions",
    (
        *(_max("Bronchus", 23.1), _volume("Bronchus", 18.9, 0.5)),
        *(_max("Esophagus", 25.2), _volume("Esophagus", 17.7, 5.0)),
        *(_max("GreatVessels", 45.0), _volume("GreatVessels", 39.0, 10.0)),
        *(_max("Heart", 30.0), _volume("Heart", 24.0, 15.0)),
        _max("SpinalCord", 21.9),
        *(_volume("SpinalCord", 18.0, 0.35), _volume("SpinalCord", 12.3, 1.2)),
        *(_max("Trachea", 30.0), _volume("Trachea", 15.0, 4.0)),
        *(_max("Skin", 33.0), _volume("Skin", 30.0, 10.0)),
    ),
)

PROTOCOLS = (RTOG_0813, RTOG_0236, NCCN_5, TG101_5, TG101_3)
"""All tables, in the order in which they are reported. The first two are those that Dong et al. 2021 name
(10.1111/1759-7714.13932)."""


def protocol_named(name: str) -> Protocol:
    """The table of that name. Raises RequestError, naming all."""
    for protocol in PROTOCOLS:
        if protocol.name == name:
            return protocol
    names = [protocol.name for protocol in PROTOCOLS]
    raise RequestError("protocols", f"{name!r} is not a table of organ limits", did_you_mean(name, names))
