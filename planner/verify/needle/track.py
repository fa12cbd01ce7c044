"""Claims on the track itself: its line and its angles, and how it reaches from the skin into the target."""

from math import cos, hypot, radians, sin

import numpy as np

from planner.records.paths import Path
from planner.verify.claims import Claims, first_agreeing
from planner.verify.geometry.axis_spans import Sight
from planner.verify.geometry.spans import Spans, between, total
from planner.verify.needle.examined_axis import Trial
from planner.verify.tolerances import LENGTH_MM, TURN, UNIT


def check_track(claims: Claims, trial: Trial, path: Path) -> None:
    """What a path states of its track."""
    _check_line(claims, trial, path)
    _check_angles(claims, trial, path)
    chords = (total(sight.target) for sight in trial.sights())
    claims.any_of("target chord", trial.subject, path.target_chord_mm, chords, LENGTH_MM)


def check_reach(claims: Claims, trial: Trial) -> None:
    """What makes any axis a track: a needle that is long enough, from skin into the target."""
    check_from_skin(claims, trial)
    _check_tip(claims, trial)


def check_from_skin(claims: Claims, trial: Trial) -> None:
    """What makes any axis a needle's, wherever its tip is: it is long enough, and leaves the body once."""
    longest = trial.request.needle.max_length_mm
    claims.at_most("the needle is long enough", trial.subject, longest, trial.axis.length_mm, LENGTH_MM)
    _check_entry(claims, trial)


def _check_line(claims: Claims, trial: Trial, path: Path) -> None:
    subject = trial.subject
    inward = np.subtract(path.tip_mm, path.entry_mm)
    length = hypot(*inward)
    off = float(np.abs(path.direction - inward / length).max())
    claims.equal("direction is the unit vector from entry to tip", subject, 0.0, off, UNIT)
    claims.equal("length", subject, path.length_mm, length, LENGTH_MM)


def _check_angles(claims: Claims, trial: Trial, path: Path) -> None:
    """The two angles, put together again, must give the direction from entry to tip.

    A needle that is driven to posterior has neither: turned in the axial plane it points left, raised out
    of that plane it points cranial.
    """
    inward = np.subtract(path.tip_mm, path.entry_mm)
    turned, raised = radians(path.axial_angle_deg), radians(path.craniocaudal_angle_deg)
    dialled = np.array([cos(raised) * sin(turned), cos(raised) * cos(turned), sin(raised)])
    off = float(np.abs(dialled - inward / hypot(*inward)).max())
    claims.equal("the angles give the direction", trial.subject, 0.0, off, TURN)
    in_range = -180.0 < path.axial_angle_deg <= 180.0 and abs(path.craniocaudal_angle_deg) <= 90.0
    dialled_as = f"{path.axial_angle_deg} and {path.craniocaudal_angle_deg} degrees"
    claims.holds(
        "the angles lie in (-180, 180] and [-90, 90] degrees",
        trial.subject,
        dialled_as,
        "in range" if in_range else "out of range",
        in_range,
    )


def _check_tip(claims: Claims, trial: Trial) -> None:
    """The tip is the target's last place on the line, as seen from the entry; claimed at s = 0."""
    tips = (_first(sight.target_line) for sight in trial.sights())
    claims.any_of("the tip is at the distal edge of the target", trial.subject, 0.0, tips, LENGTH_MM)
    asked = trial.request.target.min_chord_mm
    least = np.inf if asked is None else asked
    chords = (total(sight.target) for sight in trial.sights())
    chord = first_agreeing(chords, lambda length: length >= least - LENGTH_MM)
    claims.at_least("the needle runs far enough in the target", trial.subject, least, chord, LENGTH_MM)


def _first(spans: Spans) -> float:
    return float(spans[0, 0]) if len(spans) else np.inf


def _check_entry(claims: Claims, trial: Trial) -> None:
    """The entry is where the body is left, going outward from the tip: at skin, and once for all.

    Body in the outermost voxels is cut by the edge: nobody knows what lies beyond.
    """
    subject, length = trial.subject, trial.axis.length_mm
    end_mm = trial.request.needle.max_length_mm + trial.request.pose.hub_length_mm
    exits = (_exit(sight, end_mm) for sight in trial.sights())
    claims.any_of("the entry is on the skin", subject, length, exits, LENGTH_MM)
    again = (_beyond(sight, length, end_mm) for sight in trial.sights())
    claims.any_of("needle and hub stay outside the body beyond the entry", subject, 0.0, again, LENGTH_MM)
    entry_B = trial.axis.at(length)
    inside = np.minimum(entry_B - trial.axis.lower_B, trial.axis.upper_B - entry_B)
    voxels = float((inside / trial.scene.grid.spacing_mm).min())
    claims.at_least(
        "the entry is a voxel or more from the cut edge of the field of view", subject, 1.0, voxels, LENGTH_MM
    )


def _exit(sight: Sight, end_mm: float) -> float:
    """How far from the tip the body is left for the first time; infinity where the tip is not in it."""
    body = sight.body(end_mm)
    around = body[(body[:, 0] <= LENGTH_MM) & (body[:, 1] > LENGTH_MM)]
    return float(around[0, 1]) if len(around) else np.inf


def _beyond(sight: Sight, length: float, end_mm: float) -> float:
    """Length of axis in the body between entry and the hub's end. [mm]"""
    return total(between(sight.body(end_mm), length, np.inf))
