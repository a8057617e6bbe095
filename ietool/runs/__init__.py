"""Run folders: what is in one, making, finding and listing them."""
