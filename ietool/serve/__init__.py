"""A page and an HTTP API on this machine: runs that answer many clients with one model thread."""
