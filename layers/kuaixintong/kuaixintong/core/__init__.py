"""The pure core: values in, values out; no AWS, no HTTP, no environment, no clock, no chance.

To live here is the rule itself: a test asks it of every module in the room.

=================  ==========================================================================
room               what it knows
=================  ==========================================================================
``codes``          the platform's state codes, their meaning and who has to act
``messages``       requests, answers, reports and MOs as values
``codec``          the JSON of requests and answers, and the digest of the password
``beijing``        the platform's time: zone, formats, 18-digit timestamps
``credentials``    what the two secrets hold
``sends``          what a user enqueues, as a value that is cut into parts
``bodies``         a send's fields and rules, its published schema, and the sentences about its faults
``mobiles``        a mobile's 11 digits, however people write them
``characters``     how long a text is by the platform's count, and what does not show in it
``enqueueing``     a send's fields into messages, lanes and batches
``lanes``          urgent and ordinary
``people``         a table of people into sends, checked row by row
``cost``           what a send costs, in messages
``ledger``         a part's states: which answer leads where
``rows``           what a part's row says, as a value
``change``         what a write changes of a row, as a value
``events``         what has happened to a part, as its row keeps it
``due``            waiting for longer than a message can: as a row
``references``     what is enqueued for such a row
``confirmation``   what a person's word may change of a row
``inference``      whose a token is whose answer was lost
``schedule``       when a message comes back
``gate``           the account: pauses, probes, and when a call is allowed
``pace``           slots, and what a platform that says 210 teaches of its limit
``rails``          who is left out of a request, and why
``caps``           how many one-time codes a mobile gets
``daily``          what a day may cost
``gateway``        what API Gateway and load balancers hand over, as one request
``parameters``     a request's parameters, in every notation that the platform uses
``multipart``      the sections of a multipart body, each with its place
``numbers``        the one rule for numbers: which of them are beyond doubt
``jsontext``       JSON whose numbers and elements keep their own text
``pushes``         one push: credentials, type and contents, and what is kept of it in the end
``entries``        a push's entries into reports and MOs, good and bad
``unreadable``     what could not be read, and how it is kept
``optout_words``   the words by which a handset opts out, and comes back
``announcements``  the events that new rows are told as, and their schemas
``delivery``       what became of a mobile: its part's row and its reports, judged together
``answers``        what the read side answers, as values
``pages``          where a page of a listing ends, as text that can travel
``limits``         what DynamoDB, SQS and the platform take
``masking``        what may be shown of a mobile
``errors``         every error, split by who has to act
=================  ==========================================================================
"""
