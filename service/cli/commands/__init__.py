"""Commands: one in each module, with `add_arguments(parser)`, which also names the function that runs it.

A module is loaded when its command is used. Slow imports (the readers, the planner, the web service) are made
where they are used, after the arguments and small files have been checked, so that a typing error is reported
at once.
"""
