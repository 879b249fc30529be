"""What an operator can do, one function per use case: the command line and the API call the same.

The functions take a store or settings and return frozen values; none of them prints or asks.
"""

from __future__ import annotations

__all__: list[str] = []
