"""Whether what runs does what this repository says: rows of expected and seen, each with who answered."""
