"""The systems that are measured: each a module with a body, and a :class:`benchmarks.system.System`."""
