"""Starts workers and stops them again."""
