"""Commands: one a module. Each has `add_arguments(parser)`, which names the function that runs it.

A module is loaded when its command is asked for. What takes long to load (the readers, the planner, the web
service) is imported where it is used, after the arguments and small files have been looked at: a typing error
is told at once.
"""
