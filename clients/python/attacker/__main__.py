"""``python -m attacker``: listens, and takes one command a line on standard input.

``{"attack": "NAME"}`` chooses what is done from now on, ``{"report": true}`` says
how often it was done, ``{"search": "HEX"}`` whether these bytes were ever seen.
Each is answered by a line of JSON. It ends with its standard input.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Dict

from .attacks import ATTACKS
from .middle import Middle, Server, listen


def main() -> None:
    parser = argparse.ArgumentParser(prog="attacker", description=__doc__)
    parser.add_argument("--server", help="https://HOST:PORT of the server")
    parser.add_argument("--ca-file", help="its authority (PEM)")
    parser.add_argument("--other", help="another server, that messages can be forwarded to")
    parser.add_argument("--other-ca-file", help="its authority (PEM)")
    parser.add_argument("--certificate", help="what to end TLS with: certificate and key (PEM)")
    parser.add_argument("--identities", default=".", help="a folder with certificates and keys")
    parser.add_argument("--listen", default="127.0.0.1", help="at which address")
    parser.add_argument("--attack", default="none", help="what to begin with")
    parser.add_argument("--list", action="store_true", help="name the attacks, and end")
    options = parser.parse_args()
    if options.list:
        for attack in ATTACKS.values():
            print(f"{attack.name:36} {attack.what}")
        return
    if not options.server or not options.ca_file or not options.certificate:
        parser.error("--server, --ca-file and --certificate are needed")
    other = Server(options.other, options.other_ca_file) if options.other else None
    own = Path(options.certificate)
    middle = Middle(
        Server(options.server, options.ca_file), other, Path(options.identities), own
    )
    middle.begin(ATTACKS[options.attack])
    listener = listen(middle, (options.listen, 0), own)
    _say({"listening": listener.server_address[1]})
    for line in sys.stdin:
        _say(_obey(middle, json.loads(line)))


def _obey(middle: Middle, command: Dict[str, Any]) -> Dict[str, Any]:
    if "attack" in command:
        middle.begin(ATTACKS[command["attack"]])
        return {"attack": command["attack"]}
    if "search" in command:
        return {"found": middle.has_seen(bytes.fromhex(command["search"]))}
    return {"acted": middle.acted, "sessions": len(middle.sessions)}


def _say(value: Dict[str, Any]) -> None:
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    main()
