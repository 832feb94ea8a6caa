"""The page on which a person decides about suspicious labels."""
