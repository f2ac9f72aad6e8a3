"""Processes that share out the shares of a venue among themselves, and take them over from one another.

A share is a static worker (`K/N`) in a process of its own; the keeper of each machine decides which run there.
"""
