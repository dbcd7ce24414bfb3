"""The fault campaign: every way in which a submission can be cut off or answered wrongly, and its judge.

The sender's real code runs against the simulator's real platform; the simulator's list of acceptances is the
judge. ``make test`` runs the campaign's shorter form, ``make chaos`` the whole of it.
"""
