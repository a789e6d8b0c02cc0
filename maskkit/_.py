"""Jobs: one after the other here, or on the workers of a Dask cluster."""
