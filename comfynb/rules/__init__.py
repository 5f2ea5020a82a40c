"""Rules of comfynb: pure functions and small types, without I/O, clock or framework."""
