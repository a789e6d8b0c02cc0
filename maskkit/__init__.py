"""maskkit: repeat a report on face-mask classification, and tell how far its number can be trusted."""

__version__ = "0.1.0"
