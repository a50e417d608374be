"""Tables and pictures of what tokens cost at an experience: a copy under load (``case``), latency, experience, price
frontiers, offers, decisions, schedulers, a day, a fleet.

Every simulation starts at :class:`.case.Case`; tables are tidy, units follow from column names (``units``), pictures
are drawn from what was written (``drawings``).
"""
