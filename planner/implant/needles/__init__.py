"""Several needles at once: which of them cannot be in place together, and in what order to drive the others.

        outward
    tip o============ shaft ==============|--- hub ---|
    |<------ needle_length --------------->|
    |<--- length --->| skin

A shaft is a capsule: all points within the needle's radius of its axis. So is a hub, of its own radius, which
makes it longer, by that radius at both ends, than the cylinder it stands for: no overlap is missed.
"""
