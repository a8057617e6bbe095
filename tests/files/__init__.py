"""Files that users bring and name."""
