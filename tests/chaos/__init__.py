"""The fault campaign: every way in which a submission can be cut off or answered wrongly, and its judge.

The sender's real code runs against the simulator's real platform; the simulator's list of acceptances is the
judge. ``make test`` runs the campaign's shorter form, ``make chaos`` the whole of it.

::

    faults.py    what can go wrong in one delivery: the table to add to
    run.py       one message's deliveries, the platform, what is still on its way
    judge.py     what the end has to look like
    campaign.py  which schedules there are, and how thousands are played
    steps.py     workers that are let go one call at a time
    scenes.py    several workers at once: which, and how they are played
"""
