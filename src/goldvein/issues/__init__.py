"""Arrays in, a judged table of labels out: no network, no torch."""
