"""Sections of the details report, one module each; `mm_monitor/reports/details.py` lists them.

A section is a function of the whole period that returns what it adds to the rows that it knows, by their key.
"""
