"""The test suite; a package, so that tests share the set-up of real services as `tests.services`."""
