"""Several needles at once: which of them cannot be in place together, and in which order to drive them.

        outward
    tip o============ shaft ==============|--- hub ---|
    |<------ needle_length --------------->|
    |<--- length --->| skin

A shaft is a capsule: all points within the needle's radius of its axis. A hub is a capsule too, with its own
radius. It is longer, by this radius at both ends, than the cylinder that it stands for: no overlap is missed.
"""
