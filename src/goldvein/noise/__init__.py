"""Label noise as matrices: check, estimate, model and draw it."""
