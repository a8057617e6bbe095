"""Mutated inputs through the real readers and commands."""
