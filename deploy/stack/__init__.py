"""Everything that a venue would run, on loopback and without containers: `make stack`, and a tour of it, `make tour`.

The services are those of the tests (`tests/services`, fetched by `make services`), the configurations those of deploy/.
"""
