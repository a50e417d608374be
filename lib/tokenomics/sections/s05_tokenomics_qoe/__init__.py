"""What tokens cost at an experience: a replica under load, and what follows from it for prices, offers and fleets.

Every simulation starts at :class:`.case.Case`. Tables are tidy, their columns end in their unit; ``drawings`` draws
each figure from the table that was written.
"""
