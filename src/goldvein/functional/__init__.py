"""Pure tensor mathematics: losses, schedules, probabilities."""
