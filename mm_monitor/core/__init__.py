"""The pure heart: given records in order, who kept the promise.

Nothing in here waits, logs, reads a clock or draws a random number; a test walks the imports.
"""
