"""Pages to look at: one self-contained HTML file each, drawn from plain data; nothing here knows a task."""
