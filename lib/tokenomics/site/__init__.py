"""The reader's site: pages written from results, tables and declarations, then built by Sphinx without a network."""
