"""Who computes what, and the adding up."""
