"""What tests need and subnet authors too: worlds, builders and conformance suites."""
