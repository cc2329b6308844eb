"""An attacker on the key exchange, as a process of its own.

It ends TLS between a client and an SKMS server, as a company's proxy would, and
does one named thing to the exchange that passes. It is for tests and for showing
what happens (``python -m attacker --help``), and no part of the package ``skms``.
"""
