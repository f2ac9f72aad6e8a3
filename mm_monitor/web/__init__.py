"""What a browser, a scraper or a probe sees: one small HTTP server, and the live page it serves."""
