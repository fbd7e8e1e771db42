"""Independent tasks on local processes or on a Dask cluster: one setting, the same answer in the same order."""

from perpfut_lib.compute.tasks import run_tasks, worker_count

__all__ = ["run_tasks", "worker_count"]
