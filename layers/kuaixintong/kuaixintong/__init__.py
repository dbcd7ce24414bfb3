"""The protocol, the ledger and the stores of 快信通3, shared by every function of the bundle.

Where to look:

=================  ==========================================================================
room               what it knows
=================  ==========================================================================
``core``           the pure core: protocol, sends, ledger, gate and pace; values in, values out
``stores``         DynamoDB, SQS, Secrets Manager, EventBridge, a parameter, and a stack's outputs
``wiring``         how the parts of each function and tool hang together, one module each
``platform``       what the rest needs of the platform: one question, one answer
``client``         HTTP towards it
``admission``      the gate at work: a request's permission, credentials and timestamp
``slots``          the account's pace: when a request may go out, and its timestamp
``guards``         the guard rails at work: who is looked up, counted and given back
``claims``         a part's row from claim to result: the ledger's decisions under conditions
``submission``     one queue message, from its first claim to its last result
``errand``         one delivery of one send: what it works with, how long it has, what came of it
``request``        one part's request, from its claim to what is written of its answer
``recipients``     who a part goes to, written down in time
``calling_in``     what waits as a row, back into its lane when it is due
``account_check``  a login, what it says of the balances, and the early end of a pause
``healing``        acceptances that reports prove, looked for on a schedule
``reception``      one push, from its credentials to durable rows
``intake``         the tables that a push ends in, as one
``announcing``     new rows, told as events on a bus
``quarantine``     what could not be read, read again after a fix
``redrive``        what was given up, put back into its lane
``cancel``         what is still ours of a send or a campaign, ended
``confirm``        a person's word on a part that is in doubt
``optouts``        the opt-out list, for whoever keeps it
``producer``       the way in for users: sends checked, and enqueued in their lane
``importing``      a file of people, enqueued once; ``sheets`` reads it
``status``         the read side: what became of a send, a mobile, a day; of its answers,
                   ``conversation`` is a mobile's, ``history`` a send's, ``listing`` pages of
                   sends, ``following`` how far a campaign is; ``readahead`` reads for them
``waiting``        until a send is final, or a campaign has settled
``exporting``      a campaign's people and what became of them, as a file
``stack``          everything here, by a stack's name; ``nearby`` finds the local one
``account_view``   balances, pause, pace and queues, for a person
``doctor``         what is wrong with a deployment
``settings``       the environment, read in one place
=================  ==========================================================================
"""
