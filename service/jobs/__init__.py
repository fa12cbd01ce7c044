"""Jobs: work that runs while the client does something else: planning, evaluating, planning again.

    routes --accept--> book (SQL) <--reconcile-- engine --submit--> Dask --> perform --> bench (a process)
                         ^                                                     |
                         `------------ begin, progress, finish, fail ----------'

The book is the truth: what was accepted stays there until it has ended. Dask only finds a worker; if anything
dies, the engine of any server hands over again what the book calls open. Work is deterministic, so that it
does not matter who does it, nor how often it is begun.

states      what may become of a job
job         a job, its events, and an order for one
book        jobs as they are recorded, and every change of one
engine      keeps open jobs with the scheduler
workforce   the scheduler and its workers, our own or given
pulse       looks which workers are heard, and has those restarted that are not
lead        which of several servers has the jobs done
silence     how long each of many has not been heard
perform     one job, in a Dask worker
bench       a process that works, and can be ended at any moment
standstill  whether such a process stands still
wire        messages between the two
"""
