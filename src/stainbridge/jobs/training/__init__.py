"""What training jobs share: the request, the folder of a run, and the data."""
