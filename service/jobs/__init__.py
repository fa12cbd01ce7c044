"""Jobs: work that runs while the client does something else: planning, evaluating, planning again.

    routes --accept--> job table (SQL) <--reconcile-- dispatcher --submit--> Dask --> run_job --> sandbox
                         ^                                                              |
                         `--------------- begin, progress, finish, fail ----------------'

The job table is the truth: what was accepted stays there until it has ended. Dask only finds a worker; if
anything dies, the dispatcher of any server hands over again what the job table calls open. Work is
deterministic, so that it does not matter who does it, nor how often it is begun.

states      what may become of a job
job         a job, its events, and an order for one
job_table        jobs as they are recorded, and every change of one
dispatcher  keeps open jobs with the scheduler
workforce   the scheduler and its workers, our own or given
monitor       looks which workers are heard, and has those restarted that are not
lead        which of several servers has the jobs done
tracker     how long each of many has not been heard
run_job     one job, in a Dask worker
sandbox       a process that works, and can be ended at any moment
standstill  whether such a process stands still
channel        messages between the two
"""
