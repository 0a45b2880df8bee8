"""What is shown while a run or a sweep is in progress."""
