"""Retention: removes what is too old, or beyond a total size, where settings say so. By default nothing is
removed.

policy      what the settings say
due         what must be removed, as a function of rows, sizes and the time
grace       a day's delay after a change of the settings, or of the clock
rounds      removal, a limited number at once, by one server of a data folder

Age counts from the last recorded use: when an item was created, requested again, or last used by a job.
Reading does not count as use. What an open job needs is never removed, nor a case from which its owner
holds a result.
"""
