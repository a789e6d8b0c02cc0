"""Every fault that maskkit must survive, injected. docs/faults.md lists them; `make faults` is the long form."""
