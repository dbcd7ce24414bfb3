"""The protocol, the ledger and the stores of 快信通3, shared by every function of the bundle.

Where to look:

=================  ==========================================================================
room               what it knows
=================  ==========================================================================
``codes``          the platform's state codes, their meaning and who has to act
``messages``       requests, answers, reports and MOs as values
``codec``          the JSON of requests and answers, and the digest of the password
``beijing``        the platform's time: zone, formats, 18-digit timestamps
``credentials``    what the two secrets hold
``sends``          what a user may enqueue, checked and cut into parts
``ledger``         a part's states: which answer leads where
``gate``           the account: pauses, probes, and when a call is allowed
``admission``      the gate at work: a request's permission, credentials and timestamp
``client``         HTTP towards the platform
``submission``     one queue message, from the ledger's claim to its last result
``account_check``  a login, what it says of the balances, and the early end of a pause
``gateway``        what API Gateway and load balancers hand over, as one request
``parameters``     a request's parameters, in every notation that the platform uses
``jsontext``       JSON whose numbers and elements keep their own text
``pushes``         parameters into credentials, reports and MOs, good and bad
``reception``      one push, from its credentials to durable rows
``storage``        the tables that a push ends in, as one
``quarantine``     what could not be read, read again after a fix
``status``         the read side: what became of a send, a mobile, a day
``stores``         DynamoDB, SQS and Secrets Manager
``masking``        what may be shown of a mobile
``settings``       the environment, read in one place
``errors``         every error, split by who has to act
``wiring``         how the parts of the sender and of the account check hang together
=================  ==========================================================================
"""
