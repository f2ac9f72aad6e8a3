"""What deploy/ has is taken by the programs that it is for."""
