"""The numbered schema changes of the queue store."""
