"""Training of networks: the task, the method, and the run that drives one by the other."""
