"""mercato: the e-commerce data stack that proves its numbers."""

__version__ = "0.1.0"
