"""Layers, losses and metrics that a person wrote: in which modules, what they are, and whether they are right."""
