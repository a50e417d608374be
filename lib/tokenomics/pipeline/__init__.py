"""Running notebooks: parameters checked, output swapped in, everything rerun and compared with what is committed."""
