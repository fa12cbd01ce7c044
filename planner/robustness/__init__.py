"""Robustness: the effect of published placement errors on the structures that needles pass, and on the dose.

robustness             every needle displaced many times
|-- placement_errors       how large errors are, and random displacements
|-- touched                which structures a displaced needle touches
|-- tolerance              how far a needle may turn about its entry before it can touch any
`-- dose_spread            the PTV's dose with displaced seeds

Needles that are already in place keep their line, and their seeds have errors along it. Not modelled:
breathing and other motion of the patient (nodes move 2.6/2.5/5.2 mm LR/AP/SI), bending of the needle, and
migration of seeds after the implant. Errors of different needles are independent: a misplaced template, which
moves all needles in the same way, is not sampled.
"""
