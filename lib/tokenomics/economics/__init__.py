"""What a token costs, and what to do about it: rent, own or call an API; how many devices; at which experience."""
