"""Object storage: listing, and reading what was listed. `files` has the words, the other modules the places."""
