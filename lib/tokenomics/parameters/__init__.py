"""Parameters of the notebooks: declared once (``declared``), read and checked (``load``), written (``generate``)."""
