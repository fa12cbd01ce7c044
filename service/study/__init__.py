"""Study: a cohort planned once for each ranking, with the dispatcher of the service.

    cases, rankings --intake--> store --new jobs--> job table <--dispatcher--> workers
                                                        |
                           study.parquet, study.png <-- ended plans, as rows

A plan is identified by its case's files, its request and this software: a plan that has ended is found again,
whatever was interrupted, added or changed since.

cohort       cases as they are given, each with a name and its request
rankings     rankings as they are given, each with a name
plan_order   one plan of the study: a case, a request, and its job
intake       copies a case's files into the study's store
folder       the study's folder, for one study at a time
run          creates the jobs, runs the dispatcher, and collects the results
table        the table's columns: name, unit, meaning, and where the value is
plan_values  where these values are in a plan
parquet      the table as a file
"""
