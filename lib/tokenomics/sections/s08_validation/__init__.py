"""How far off held-out predictions are: rows, errors by group, targets, reasons, and other tools on the same rows."""
