"""A simulated shop that writes its events, faults included, and the truth about them."""
