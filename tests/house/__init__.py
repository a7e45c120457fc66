"""Rules of the repository that no linter holds: the pages' code runs, and nothing is unpickled."""
