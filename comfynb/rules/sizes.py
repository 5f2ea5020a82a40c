"""Sizes in bytes as people read them."""

from __future__ import annotations

__all__ = ["size_words"]


def size_words(size: int) -> str:
    """Return a size in bytes for people.

    Examples
    --------
    >>> size_words(900), size_words(12_400), size_words(3_500_000), size_words(100_000_000)
    ('900 bytes', '12 kB', '3.5 MB', '100 MB')
    """
    if size < 1000:
        return f"{size} bytes"
    return f"{size / 1000:.0f} kB" if size < 1_000_000 else f"{size / 1_000_000:.{int(size < 100_000_000)}f} MB"
