"""What a user who installs the package gets, checked by installing it."""
