"""A date judged again: what came too late, what was wrong, what was granted afterwards; and what that changed."""
