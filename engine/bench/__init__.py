"""How fast training is here with any number of workers: what `gradsum bench` measures."""
