"""What a person looks at: the report of a run, one HTML file, and the page on which doubtful labels are reviewed."""
