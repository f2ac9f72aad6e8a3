"""Scorecards for people: a report as a document, and the document as a page (HTML), a print (PDF) and tables.

A document is blocks of text, tables and drawings; it knows no format. Whatever is written depends on its input alone.
"""
