"""Files that users bring and name: reading them, whatever they are, and writing them whole."""
