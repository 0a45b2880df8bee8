"""The process and the machine it runs on: clock, signals, processes, memory, files."""
