"""Registration: neurons enter a subnet and leave it."""
