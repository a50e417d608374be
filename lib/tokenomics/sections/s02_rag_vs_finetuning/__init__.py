"""Notebook 02: the experiment's arms and who answers right (:mod:`.arms`), what a query and a tuning run took here
(:mod:`.cpu_costs`), the assumed task (:mod:`.task`) and where which approach is cheapest for it (:mod:`.costs`)."""
