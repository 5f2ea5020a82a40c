"""How things look: pure functions that make HTML, and plain text that says the same."""
