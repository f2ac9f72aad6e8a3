"""What users were promised, tried from outside."""
