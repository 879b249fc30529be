"""The statements of the queue store, by contract."""
