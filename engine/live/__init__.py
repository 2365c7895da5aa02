"""Threads and time: mailboxes, workers, pacing, counting. Knows nothing of faces."""
