"""``kxt``: the command line. A thin shell on the library: it asks, and prints what it was told."""
