"""Robustness: what needles do that go as wrong as published ones did, to what they pass and to the dose.

robustness            every needle displaced many times
|-- placement_errors      how far needles go wrong, and the draws made of it
|-- touched               which structures a displaced needle touches
|-- tolerance             how far a needle may turn about its entry before it can touch any
`-- dose_spread           the PTV's dose of displaced seeds

Needles that are in already keep their line, and their seeds go wrong along it. Left out: breathing and what
else moves the patient (nodes move 2.6/2.5/5.2 mm LR/AP/SI), bending of the needle, and seeds that wander once
they are dropped. Errors of needles are independent of each other: one template put on askew, which moves all
of them alike, is not sampled.
"""
