"""Run tasks in processes that can be ended, on workers of Dask or without."""
