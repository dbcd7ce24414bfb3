"""The protocol, the ledger and the stores of 快信通3, shared by every function of the bundle.

Where to look:

=================  ==========================================================================
room               what it knows
=================  ==========================================================================
``core``           the pure core: protocol, sends, ledger, gate and pace; values in, values out
``stores``         DynamoDB, SQS, Secrets Manager, and a stack's outputs
``wiring``         how the parts of each function and tool hang together, one module each
``platform``       what the rest needs of the platform: one question, one answer
``client``         HTTP towards it
``admission``      the gate at work: a request's permission, credentials and timestamp
``slots``          the account's pace: when a request may go out, and its timestamp
``claims``         a part's row from claim to result: the ledger's decisions under conditions
``submission``     one queue message, from its first claim to its last result
``account_check``  a login, what it says of the balances, and the early end of a pause
``reception``      one push, from its credentials to durable rows
``intake``         the tables that a push ends in, as one
``quarantine``     what could not be read, read again after a fix
``redrive``        what was given up, put back into its lane
``producer``       the way in for users: sends checked, and enqueued in their lane
``status``         the read side: what became of a send, a mobile, a day
``settings``       the environment, read in one place
=================  ==========================================================================
"""
