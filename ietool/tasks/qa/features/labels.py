"""The labels of YES_NO questions."""

LABELS = ("Yes", "No", "Depends")
"""In the order of the model's classes."""
