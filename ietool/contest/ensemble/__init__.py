"""Ensembles: gathering runs, joining what they say, and what that gains."""
