"""``make mutants``: deliberate faults in the layer's code, one at a time, and which of them no test notices.

The faults are mutmut's, a well-kept mutation tester: a comparison turned, an argument dropped, a number one too
high, a string changed. mutmut itself puts them into functions alone, and chooses among them when a function is
called. Much of this project stands in tables (the ledger's rules, codes, limits) and is made at import, so here
each fault is tried in a forked process that has it: imported in place of the true module, or, where one function
alone is another, put into a program that has imported everything. A rule that loses its state is a mutant like any
other, and no file is touched.
"""
