"""Database: the service's records in SQL: who holds what, which jobs there are, and how each went.

tables          what is recorded
migrations/     how the tables changed over time; `migrate` brings a database up to date
connection      transactions that survive a database which is unreachable for a while
"""
