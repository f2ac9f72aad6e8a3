"""Pictures of an engine turned into documents."""
