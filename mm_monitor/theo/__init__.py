"""Computed theo: option models, vols from several sources, and the order in which they are believed. Pure."""
