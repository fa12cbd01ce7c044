"""Study: a cohort planned once for each ranking, on the dispatcher that the service has.

    cases, rankings --intake--> store --orders--> job_table <--dispatcher--> workers
                                                    |
                       study.parquet, study.png <-- ended plans, as rows

A plan is named by its case's files, its request and this software: what has ended is found again, whatever
was interrupted, added or changed since.

cohort      cases as they are given, each with a name, and what is asked of it
rankings    rankings as they are given, each with a name
asked       one plan of the study: a case, a request, and the order for its job
intake      a case's files, taken into the study's store
folder      the study's folder: one study at a time, and nobody else's
run         orders, the dispatcher, and what came of each
bar         how far it is, on stderr
columns     the table's columns: name, unit, what it is, and where it is found
in_plan     where that is in a plan
parquet     the table as a file
summary     the study as text
"""
