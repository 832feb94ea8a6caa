"""The report of a run, which is one HTML file, and the rows of a run as a person sees them."""
