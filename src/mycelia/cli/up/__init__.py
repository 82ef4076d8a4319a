"""A whole network on one machine, as a library: `mycelia up` parses flags and calls `run`."""
