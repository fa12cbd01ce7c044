"""Claims on the track itself: its line and its angles, and how it reaches from the skin into the target."""

from math import cos, hypot, radians, sin

import numpy as np

from planner.records.paths import Path
from planner.verify.claims import Claims, first_agreeing
from planner.verify.geometry.axis_spans import AxisSpans
from planner.verify.geometry.spans import Spans, between, total
from planner.verify.needle.examined_axis import ExaminedAxis
from planner.verify.tolerances import LENGTH_MM, TURN, UNIT


def check_track(claims: Claims, examined: ExaminedAxis, path: Path) -> None:
    """What a path states of its line, its angles and its length in the target."""
    _check_line(claims, examined, path)
    _check_angles(claims, examined, path)
    chords = (total(axis_spans.target) for axis_spans in examined.readings())
    claims.any_of("target chord", examined.subject, path.target_chord_mm, chords, LENGTH_MM)


def check_reach(claims: Claims, examined: ExaminedAxis) -> None:
    """Conditions that make an axis a track: it runs from skin into the target, and the needle is long
    enough."""
    check_from_skin(claims, examined)
    _check_tip(claims, examined)


def check_from_skin(claims: Claims, examined: ExaminedAxis) -> None:
    """Conditions for a needle with its tip anywhere: it is long enough, and leaves the body once."""
    longest = examined.request.needle.max_length_mm
    claims.at_most("the needle is long enough", examined.subject, longest, examined.axis.length_mm, LENGTH_MM)
    _check_entry(claims, examined)


def _check_line(claims: Claims, examined: ExaminedAxis, path: Path) -> None:
    subject = examined.subject
    inward = np.subtract(path.tip_mm, path.entry_mm)
    length = hypot(*inward)
    off = float(np.abs(path.direction - inward / length).max())
    claims.equal("direction is the unit vector from entry to tip", subject, 0.0, off, UNIT)
    claims.equal("length", subject, path.length_mm, length, LENGTH_MM)


def _check_angles(claims: Claims, examined: ExaminedAxis, path: Path) -> None:
    """The two angles together must give the direction from entry to tip.

    Both angles are 0 for a needle that points to posterior. The first turns it in the axial plane, to the
    left; the second raises it out of that plane, to cranial.
    """
    inward = np.subtract(path.tip_mm, path.entry_mm)
    turned, raised = radians(path.axial_angle_deg), radians(path.craniocaudal_angle_deg)
    from_angles = np.array([cos(raised) * sin(turned), cos(raised) * cos(turned), sin(raised)])
    off = float(np.abs(from_angles - inward / hypot(*inward)).max())
    claims.equal("the angles give the direction", examined.subject, 0.0, off, TURN)
    in_range = -180.0 < path.axial_angle_deg <= 180.0 and abs(path.craniocaudal_angle_deg) <= 90.0
    stated = f"{path.axial_angle_deg} and {path.craniocaudal_angle_deg} degrees"
    claims.holds(
        "the angles lie in (-180, 180] and [-90, 90] degrees",
        examined.subject,
        stated,
        "in range" if in_range else "out of range",
        in_range,
    )


def _check_tip(claims: Claims, examined: ExaminedAxis) -> None:
    """The tip, at s = 0, is the target's last place on the line, as seen from the entry. The run in the
    target is long enough."""
    tips = (_first(axis_spans.target_line) for axis_spans in examined.readings())
    claims.any_of("the tip is at the distal edge of the target", examined.subject, 0.0, tips, LENGTH_MM)
    min_chord_mm = examined.request.target.min_chord_mm
    least = np.inf if min_chord_mm is None else min_chord_mm
    chords = (total(axis_spans.target) for axis_spans in examined.readings())
    chord = first_agreeing(chords, lambda length: length >= least - LENGTH_MM)
    claims.at_least("the needle runs far enough in the target", examined.subject, least, chord, LENGTH_MM)


def _first(spans: Spans) -> float:
    return float(spans[0, 0]) if len(spans) else np.inf


def _check_entry(claims: Claims, examined: ExaminedAxis) -> None:
    """The entry is where the line leaves the body, going outward from the tip, and it leaves it only there.

    At the outermost voxels the body is cut by the edge of the image: what lies beyond is not known.
    """
    subject, length = examined.subject, examined.axis.length_mm
    end_mm = examined.request.needle.max_length_mm + examined.request.pose.hub_length_mm
    exits = (_exit(axis_spans, end_mm) for axis_spans in examined.readings())
    claims.any_of("the entry is on the skin", subject, length, exits, LENGTH_MM)
    in_body = (_beyond(axis_spans, length, end_mm) for axis_spans in examined.readings())
    claims.any_of("needle and hub stay outside the body beyond the entry", subject, 0.0, in_body, LENGTH_MM)
    entry_B = examined.axis.at(length)
    inside = np.minimum(entry_B - examined.axis.lower_B, examined.axis.upper_B - entry_B)
    voxels = float((inside / examined.scene.grid.spacing_mm).min())
    claims.at_least(
        "the entry is a voxel or more from the cut edge of the field of view", subject, 1.0, voxels, LENGTH_MM
    )


def _exit(axis_spans: AxisSpans, end_mm: float) -> float:
    """Where the line first leaves the body, or infinity where the tip is outside it. [mm from the tip]"""
    body = axis_spans.body(end_mm)
    around = body[(body[:, 0] <= LENGTH_MM) & (body[:, 1] > LENGTH_MM)]
    return float(around[0, 1]) if len(around) else np.inf


def _beyond(axis_spans: AxisSpans, length: float, end_mm: float) -> float:
    """Length of the axis in the body between the entry and the end of the hub. [mm]"""
    return total(between(axis_spans.body(end_mm), length, np.inf))
