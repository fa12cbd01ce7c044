"""Jobs: work that runs in the background: plans, evaluations and replans.

    routes --accept--> job table (SQL) <--reconcile-- dispatcher --submit--> Dask --> run_job --> sandbox
                         ^                                                              |
                         `--------------- begin, progress, finish, fail ----------------'

The job table is the truth: an accepted job stays in it until it has ended. Dask only finds a free worker. If
anything dies, the dispatcher of any server submits all open jobs of the table again. Work is deterministic,
so it does not matter who does a job, or how often it is started.

job_table           jobs in the database, and every change of one
dispatcher          submits open jobs to the scheduler
workforce           the scheduler and its workers, our own or external
heartbeat_monitor   which workers are alive; restarts those that are not
leader              which of several servers runs the jobs
workspace           files, records and job table of one data folder
errors              what cannot be taken, found or done
error_reports       what is answered about each error, as a problem
worker              runs one job, in a Dask worker
watchdog            ends a worker whose thread hangs
event_notifier      wakes clients that wait for events of a job
memory_limits       how much memory each process may use
sandbox/            a process that does the work and can be killed at any moment
liveness/           whether a process is alive or stalled
"""
