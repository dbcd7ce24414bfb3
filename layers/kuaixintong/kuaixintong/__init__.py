"""The protocol, the ledger and the stores of 快信通3, shared by every function of the bundle.

Where to look:

=================  ==========================================================================
room               what it knows
=================  ==========================================================================
``codes``          the platform's state codes, their meaning and who has to act
``messages``       requests, answers, reports and MOs as values
``codec``          the JSON of requests and answers, and the digest of the password
``beijing``        the platform's time: zone, formats, 18-digit timestamps
``sends``          what a user may enqueue, checked and cut into parts
``ledger``         a part's states: which answer leads where
``gate``           the account: pauses, probes, and when a call is allowed
``admission``      the gate at work: a request's permission, credentials and timestamp
``client``         HTTP towards the platform
``submission``     one queue message, from the ledger's claim to its last result
``pushes``         what the platform pushes, in every notation it uses
``reception``      one push, from its credentials to durable rows
``account_check``  a login, what it says of the balances, and the early end of a pause
``status``         the read side: what became of a send, a mobile, a day
``stores``         DynamoDB
``credentials``    Secrets Manager
``settings``       the environment, read in one place
``wiring``         how the parts of a function hang together
=================  ==========================================================================
"""
