"""The worker process: `python -m workers ADDRESS` joins the coordinator at ADDRESS and evaluates what it is given."""
