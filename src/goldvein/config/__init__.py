"""Names and plain values to checked objects."""
