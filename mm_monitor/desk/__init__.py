"""The hands of operations: exemptions, planned maintenance, acknowledgements; each with who, why and who agreed."""
