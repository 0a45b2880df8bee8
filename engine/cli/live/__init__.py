"""What a person sees while a run or a sweep is under way."""
