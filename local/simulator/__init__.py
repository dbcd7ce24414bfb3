"""The platform's side of the spec, as a real HTTP server with faults on demand.

It shares no code with the layer, so that one mistake cannot hide on both sides: what it takes and answers is
pinned by the spec's own bytes.

========================  =====================================================================
``settings``              what the platform knows and how it behaves, checked
``codes``                 the state code table (spec 6.2)
``platform``              the pure core: form fields and a time in, an answer and acceptances out
``timestamps``            which timestamps it has seen: of whom, where and for how long
``limits``                how many requests it lets in a second
``handsets``              what arrives on handsets, and what they answer by themselves
``patterns``              regular expressions that cost no more than the text is long
``faults``                which request or push meets which fault; pure too
``journal``               every request seen, and what became of it
``pushing``               reports and MOs, posted until the customer answers ``0``
``service``               ``/webservice/http/service``: the core behind HTTP, faults carried out
``doors``                 the listeners, which an outage closes for real
``simulator``             all of it together
``control``               ``/_sim/…``: steering and inspecting it over HTTP
``running``               the same from Python: a server in a thread, for tests
========================  =====================================================================

``python -m local.simulator --help`` starts one by itself.
"""
