"""Database: the service's records in SQL: who holds what, which jobs there are, and how each went.

tables          what is recorded
migrations/     how tables came to be so; `migrate` brings a database up to date
connection      transactions that outlast a database which is away for a while
"""
