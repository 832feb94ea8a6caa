"""What is known of label noise, as matrices: check, estimate, model, draw."""
