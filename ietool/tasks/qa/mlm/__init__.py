"""Answers written into masks by a masked language model (kexue.fm 7148)."""
