"""Measurements that the README quotes: what they run on and how they time, free of the command line."""
