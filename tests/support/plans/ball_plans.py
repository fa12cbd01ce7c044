"""A small chest with a ball as its target, and plans for it: quick enough for many tests."""

from dataclasses import replace
from functools import cache
from types import MappingProxyType

import compiled_once
import numpy as np
from box_scenes import grid_of, pose_P
from small_chests import Chest, ellipsoid, posed

from anatomy.scene import Scene
from anatomy.structures import Role
from planner.plan import plan
from planner.records.plan import Plan
from planner.records.request.needle import Needle
from planner.records.request.needle_set import NeedleSetRequest
from planner.records.request.pose import PoseRequest
from planner.records.request.prescription import Goals, Prescription
from planner.records.request.request import Request
from planner.records.request.robustness import RobustnessRequest
from planner.records.request.search import SearchRequest
from planner.records.request.target import TargetRequest
from service.schemas.plan.file import read_plan

MIDDLE_B = np.array([41.0, 35.0, 37.0])
"""The ball's middle. [mm]"""
RADIUS_MM = 7.0

REQUEST = Request(
    target=TargetRequest(("node",), margin_mm=3.0),
    needle=Needle(max_length_mm=90.0),
    clearance_mm=MappingProxyType({"default": 1.5}),
    pose=PoseRequest(hub_length_mm=12.0, hub_diameter_mm=5.0),
    search=SearchRequest(covering_radius_mm=4.0, max_paths=2),
    needle_set=NeedleSetRequest(puncture_cost_mm=10.0),
    prescription=Prescription(goals=Goals(v100_percent=90.0)),
    robustness=RobustnessRequest(samples=5),
)


@cache
def ball_chest() -> Chest:
    """A body of 76 x 64 x 70 mm, oblique in P, with a ball of 14 mm in it, a lung beside and a vessel behind
    it."""
    grid = grid_of((42, 36, 38), (2.0, 2.0, 2.0), pose_P((12.0, -7.0, 20.0), (30.0, -50.0, 10.0)))
    body = ellipsoid(grid, MIDDLE_B, (38.0, 32.0, 35.0))
    ball = ellipsoid(grid, MIDDLE_B, (RADIUS_MM,) * 3)
    lung = ellipsoid(grid, np.add(MIDDLE_B, (22.0, 0.0, 0.0)), (11.0, 20.0, 22.0)) & body & ~ball
    aorta = ellipsoid(grid, np.add(MIDDLE_B, (-4.0, 15.0, 0.0)), (4.0, 4.0, 60.0)) & body
    masks = {
        "body": (Role.SKIN, body),
        "lung_upper_lobe_left": (Role.LUNG, lung),
        "aorta": (Role.FORBIDDEN, aorta),
        "node": (Role.TARGET, ball),
    }
    return posed(grid, masks, REQUEST)


def changed_request(**changes: object) -> Request:
    """The request with changes."""
    return replace(REQUEST, **changes)


def ball_scene() -> Scene:
    """The scene of the chest."""
    return ball_chest().scene


@cache
def ball_plan() -> Plan:
    """The plan for the chest, made once in a test run with several workers."""
    text = compiled_once.wait()
    return read_plan(text).plan if text else plan(ball_scene(), REQUEST).plan
