"""Retention: what goes after a time, or beyond a size, where settings say so. Without them nothing ever goes.

policy      what the settings ask for
due         what is to go by it, as a function of rows, sizes and the time
grace       a day's delay after a change of the settings, or of the clock
rounds      removal, a bounded number at once, by one server of a data folder
command     `seedpath store prune`

Age counts from the last use that the records tell: when a thing was made, or ordered again, or last worked
on. Reading is no use. What an open job needs never goes, nor a case from which its owner holds a result.
"""
