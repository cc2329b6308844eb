"""Somebody between the client and the server: one table of what they do.

The attacker is a process of its own, the servers are real, and each attack is
made on the command line and on this package. Who has to refuse does so, by the
name that docs/exchange.md gives it; nobody has a key then, and the server keeps
none, but for one that waits for its confirmation in vain.
"""

from __future__ import annotations

import base64
import json
import subprocess
import threading
import time
import unittest
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Dict, List, Optional, Sequence, Tuple

import skms
from attacker.attacks import ATTACKS, LOW_ORDER
from skms import Suite
from tests.server import Server, binary, environment
from tests.stage import Attacker, Stage

I, R = "initiator", "responder"
#: What is on the server afterwards: no key of the name, or one that waits.
NOTHING, WAITS = "nothing", "waits"
#: The longest that a key waits: window and skew.
WAIT_SECONDS = 180


@dataclass(frozen=True)
class Case:
    attack: str
    #: The error's name in docs/exchange.md.
    error: str
    side: str
    left: str
    fetch: bool = False
    #: What the client offers; the command line offers X-Wing alone.
    offers: Tuple[Suite, ...] = (Suite.X_WING,)
    #: Whether it was the other server that refused.
    other: bool = False


BOTH = (Suite.X_WING, Suite.X25519)
CASES = [
    # What is between the messages and their signatures.
    Case("swap-share", "signature", R, NOTHING),
    Case("swap-share", "signature", R, NOTHING, fetch=True),
    Case("swap-share", "signature", R, NOTHING, offers=(Suite.ML_KEM_768,)),
    Case("swap-share", "signature", R, NOTHING, offers=(Suite.ML_KEM_1024,)),
    Case("swap-encapsulation", "signature", I, WAITS),
    Case("swap-encapsulation", "signature", I, NOTHING, fetch=True),
    Case("swap-encapsulation", "signature", I, WAITS, offers=(Suite.ML_KEM_768,)),
    Case("swap-encapsulation", "signature", I, WAITS, offers=(Suite.ML_KEM_1024,)),
    Case("swap-certificate-1", "wrong-certificate", R, NOTHING),
    Case("swap-certificate-and-hash-1", "signature", R, NOTHING),
    Case("swap-signature-1", "signature", R, NOTHING),
    Case("swap-request", "signature", R, NOTHING),
    Case("swap-certificate-2", "wrong-certificate", I, WAITS),
    Case("swap-certificate-and-hash-2", "signature", I, WAITS),
    Case("swap-signature-2", "signature", I, WAITS),
    Case("swap-grant", "signature", I, WAITS),
    Case("swap-sealed", "signature", I, NOTHING, fetch=True),
    Case("withhold-lists", "revocation-unknown", I, WAITS),
    Case("swap-lists", "revocation-unknown", I, WAITS),
    # Weaker suites.
    Case("strip-post-quantum", "signature", R, NOTHING),
    Case("strip-offers", "signature", R, NOTHING, offers=BOTH),
    Case("offer-weaker", "signature", R, NOTHING),
    Case("weaker-answer", "suite-not-offered", I, WAITS),
    Case("weaker-answer", "signature", I, WAITS, offers=BOTH),
    # Replays.
    Case("replay-request", "replayed", R, NOTHING),
    Case("replay-request", "replayed", R, NOTHING, fetch=True),
    Case("replay-another-clients", "replayed", R, NOTHING),
    Case("replay-refreshed", "signature", R, NOTHING),
    Case("replay-session", "transcript", I, NOTHING),
    Case("replay-session", "transcript", I, NOTHING, fetch=True),
    Case("replay-answer", "transcript", I, WAITS),
    Case("replay-confirmation", "transcript", R, WAITS),
    Case("swap-confirmation", "confirmation", R, WAITS),
    Case("swap-transcript", "transcript", R, WAITS),
    # Reflections.
    Case("reflect-request", "wrong-message", I, NOTHING),
    Case("reflect-answer", "wrong-message", R, WAITS),
    Case("reflect-answer-as-3", "too-long", R, WAITS),
    Case("reflect-request-as-3", "too-long", R, NOTHING),
    Case("mirror-client", "same-party", I, NOTHING),
    Case("mirror-server", "same-party", R, WAITS),
    # Other servers and other runs; `splice` and `hold` have tests of their own.
    Case("forward", "wrong-server", R, NOTHING, other=True),
    Case("misbind", "transcript", I, WAITS),
    # Clients' certificates; with a good one nothing but the transcript is wrong.
    Case("client-good", "transcript", I, WAITS),
    Case("client-expired", "certificate-expired", R, NOTHING),
    Case("client-not-yet-valid", "certificate-not-yet-valid", R, NOTHING),
    Case("client-revoked", "certificate-revoked", R, NOTHING),
    Case("client-on-hold", "certificate-on-hold", R, NOTHING),
    Case("client-purpose", "certificate-purpose", R, NOTHING),
    Case("client-self-signed", "certificate-untrusted", R, NOTHING),
    Case("client-stranger", "certificate-untrusted", R, NOTHING),
    Case("client-unknown", "revocation-unknown", R, NOTHING),
    Case("client-stale", "stale", R, NOTHING),
    Case("client-from-the-future", "from-the-future", R, NOTHING),
    Case("client-algorithm", "signature-algorithm", R, NOTHING),
    # Servers' certificates; what a good one does is a test of its own.
    Case("server-expired", "certificate-expired", I, NOTHING),
    Case("server-not-yet-valid", "certificate-not-yet-valid", I, NOTHING),
    Case("server-revoked", "certificate-revoked", I, NOTHING),
    Case("server-on-hold", "certificate-on-hold", I, NOTHING),
    Case("server-purpose", "certificate-purpose", I, NOTHING),
    Case("server-name", "certificate-name", I, NOTHING),
    Case("server-self-signed", "certificate-untrusted", I, NOTHING),
    Case("server-tls", "certificate-untrusted", I, NOTHING),
    Case("server-tls", "certificate-untrusted", I, NOTHING, fetch=True),
    Case("server-unknown", "revocation-unknown", I, NOTHING),
    Case("server-client", "certificate-purpose", I, NOTHING),
    # A server that is one and lies.
    Case("server-confirmation", "confirmation", I, NOTHING),
    Case("server-grant", "grant", I, NOTHING),
    Case("server-suite", "suite-not-offered", I, NOTHING),
    Case("server-stale", "stale", I, NOTHING),
    Case("server-from-the-future", "from-the-future", I, NOTHING),
    # Public values that are none.
    *(Case(f"encapsulation-{point}", "encapsulation", I, NOTHING) for point in LOW_ORDER),
    Case("encapsulation-short", "encapsulation", I, NOTHING),
    Case("encapsulation-for-another", "confirmation", I, NOTHING),
    *(
        Case(f"key-{kem}-{way}", "public-key", R, NOTHING)
        for kem in ("x-wing", "ml-kem-768", "ml-kem-1024")
        for way in ("over-q", "all-ones", "short", "long", "byte")
    ),
    *(Case(f"key-x-wing-{point}", "public-key", R, NOTHING) for point in LOW_ORDER),
    # The server has no use for these, whatever is wrong with them besides.
    *(
        Case(f"only-{kem}{way}", "no-common-suite", R, NOTHING)
        for kem in ("p256", "p384", "p521")
        for way in ("", "-off-the-curve", "-over-p")
    ),
    Case("only-x25519", "no-common-suite", R, NOTHING),
    Case("only-x25519-zero", "no-common-suite", R, NOTHING),
    Case("only-p256-compressed", "no-common-suite", R, NOTHING),
]
#: What the table does not have, because more than one exchange is in it.
ELSEWHERE = {"none", "hold", "deliver-held", "splice", "server-good"}


@dataclass
class Outcome:
    """How an exchange ended: with a key, or with a refusal and by whom."""

    key: Optional[bytes] = None
    error: Optional[str] = None
    side: Optional[str] = None
    said: str = ""


class Person:
    """Somebody with a certificate, whose way to the server leads past the attacker."""

    def __init__(self, stage: Stage, attacker: Attacker, name: str) -> None:
        self._stage = stage
        self._address = attacker.address
        self._identity = stage.identities / f"{name}.pem"

    def by_package(self, key: str, fetch: bool, offers: Sequence[Suite]) -> Outcome:
        with skms.Client(
            self._address,
            ca_file=self._stage.tls_trust,
            exchange_ca_file=self._stage.exchange_trust,
            client_cert=self._identity,
            retries=0,
        ) as client:
            try:
                call = client.exchange.fetch if fetch else client.exchange.agree
                return Outcome(key=call(key, offers=offers).key.reveal())
            except skms.ExchangeRefused as refused:
                return Outcome(error=refused.name, side=refused.side, said=str(refused))
            except skms.Error as error:
                return Outcome(said=repr(error))

    def by_command(self, key: str, fetch: bool) -> Outcome:
        out = self._stage.folder / f"{key}.key"
        files = {
            "--ca-file": self._stage.tls_trust,
            "--exchange-ca-file": self._stage.exchange_trust,
            "--client-cert": self._identity,
            "--client-key": self._identity,
            "--out": out,
        }
        words = [str(word) for pair in files.items() for word in pair]
        act = "fetch" if fetch else "agree"
        ran = subprocess.run(
            [binary(), "--json", "--address", self._address, "exchange", act, key, *words],
            cwd=self._stage.folder, env=environment(), capture_output=True, text=True,
        )
        if ran.returncode == 0:
            outcome = Outcome(key=out.read_bytes())
            out.unlink()
            return outcome
        if out.exists():
            return Outcome(key=out.read_bytes(), said="a refused exchange left a key")
        try:
            report = json.loads(ran.stderr.strip().splitlines()[-1])
        except (ValueError, IndexError):
            return Outcome(said=ran.stderr)
        problem = report.get("problem") or {}
        if problem.get("type", "").endswith(":exchange-refused"):
            return Outcome(error=problem["detail"].partition(":")[0], side=R, said=ran.stderr)
        _, here, what = report["error"].partition("the key exchange was refused here: ")
        return Outcome(
            error=what.partition(":")[0] if here else None, side=I if here else None, said=ran.stderr
        )


class Attacks(unittest.TestCase):
    stage: Stage
    attacker: Attacker
    alice: Person
    bob: Person
    #: By server: an administrator, and the number of the last event looked at.
    clients: Dict[Server, skms.Client]
    last: Dict[Server, int]
    next_refusal = 0.0

    @classmethod
    def setUpClass(cls) -> None:
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        cls.attacker = cls.stage.attacker()
        cls.alice = Person(cls.stage, cls.attacker, "alice")
        cls.bob = Person(cls.stage, cls.attacker, "bob")
        cls.stage.admin.keys.create("kept", "AES-256-GCM", exportable=True)
        # What there is to be replayed.
        cls.attacker.tell(attack="none")
        for person, key in ((cls.bob, "bobs"), (cls.alice, "hers")):
            if person.by_package(key, False, (Suite.X_WING,)).key is None:
                raise AssertionError("an exchange that nobody disturbs")
        cls.last = {}
        other = cls.stage.other
        cls.clients = {cls.stage.server: cls.stage.admin, other: other.client()}
        cls.addClassCleanup(cls.clients[other].close)
        for server in cls.clients:
            cls.news(server)

    @classmethod
    def news(cls, server: Server) -> List[skms.Event]:
        """The events since the last look."""
        found = list(cls.clients[server].events(after=cls.last.get(server), page=1000))
        if found:
            cls.last[server] = found[-1].sequence
        return found

    def refusals(self, server: Server) -> List[Optional[str]]:
        return [event.reason for event in self.news(server) if event.action == "exchange.refused"]

    def run_by(self, person: Person, client: str, case: Case, key: str) -> Outcome:
        if client == "package":
            return person.by_package(key, case.fetch, case.offers)
        return person.by_command(key, case.fetch)

    def is_left(self, key: str, left: str) -> None:
        """Whether the server has what it should have of a key of that name."""
        keys = self.stage.admin.keys
        if left == NOTHING:
            with self.assertRaises(skms.Problem) as caught:
                keys.show(key)
            self.assertEqual(caught.exception.kind, "not-found")
            return
        self.assertEqual(keys.show(key).state, "pre-activation")
        ends = keys.versions(key)[0].members["destroy_at"]
        until = datetime.fromisoformat(ends.replace("Z", "+00:00")) - datetime.now(timezone.utc)
        self.assertLessEqual(until.total_seconds(), WAIT_SECONDS + 1)
        with self.assertRaises(skms.Problem) as caught:
            self.stage.admin.encrypt(key, b"x")
        self.assertEqual(caught.exception.kind, "wrong-state")

    def test_the_table(self) -> None:
        for number, case in enumerate(CASES):
            for client in ("package", "command"):
                if client == "command" and case.offers != (Suite.X_WING,):
                    continue
                with self.subTest(case, client=client):
                    self.one(case, client, f"{case.attack.replace('+', '-')}-{number}-{client}")

    def one(self, case: Case, client: str, name: str) -> None:
        if case.side == R:
            # No more than ten refusals a second have an event of their own.
            time.sleep(max(0.0, type(self).next_refusal - time.monotonic()))
            type(self).next_refusal = time.monotonic() + 0.11
        key = "kept" if case.fetch else name
        self.attacker.tell(attack=case.attack)
        outcome = self.run_by(self.alice, client, case, key)
        self.assertEqual((outcome.error, outcome.side), (case.error, case.side), outcome.said)
        self.assertIsNone(outcome.key)
        self.assertEqual(self.attacker.tell(report=True)["acted"], 1)
        refused = self.stage.other if case.other else self.stage.server
        for server in self.clients:
            told = case.side == R and server is refused
            self.assertEqual(self.refusals(server), [case.error] if told else [])
        if not case.fetch:
            self.is_left(name, case.left)

    def test_whoever_only_watches_learns_nothing(self) -> None:
        self.attacker.tell(attack="none")
        exported = self.stage.admin.keys.export("kept").key.reveal()
        for client in ("package", "command"):
            for case in (Case("none", "", "", ""), Case("none", "", "", "", fetch=True)):
                with self.subTest(client, fetch=case.fetch):
                    name = "kept" if case.fetch else f"watched-{client}"
                    outcome = self.run_by(self.alice, client, case, name)
                    self.assertIsNotNone(outcome.key, outcome.said)
                    key = outcome.key or b""
                    # It was there all the time, and does find what it saw.
                    self.assertTrue(self.attacker.tell(search=name.encode().hex())["found"])
                    self.assertFalse(self.attacker.tell(search=key.hex())["found"])
                    if case.fetch:
                        self.assertEqual(key, exported)
                    else:
                        self.is_the_servers(name, key)

    def is_the_servers(self, name: str, key: bytes) -> None:
        """Whether the server has the same key: it opens what the server sealed."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        text = base64.b64decode(self.stage.admin.encrypt(name, b"hello").split(":")[2])
        self.assertEqual(AESGCM(key).decrypt(text[:12], text[12:], None), b"hello")

    def test_with_a_good_certificate_the_attacker_would_win(self) -> None:
        # Nothing but the certificate is in the way of those that play a server.
        for client in ("package", "command"):
            self.attacker.tell(attack="server-good")
            case = Case("server-good", "", "", "", fetch=True)
            outcome = self.run_by(self.alice, client, case, "kept")
            self.assertIsNotNone(outcome.key, outcome.said)
            self.assertNotEqual(outcome.key, self.stage.admin.keys.export("kept").key.reveal())

    def test_whoever_ends_tls_would_win_without_anchors_of_the_exchange(self) -> None:
        # What `exchange_ca_file` is there for, and that `server-tls` is an attack.
        trust = self.stage.exchange_trust
        self.addCleanup(setattr, self.stage, "exchange_trust", trust)
        self.stage.exchange_trust = self.stage.tls_trust
        case = Case("server-tls", "", "", "", fetch=True)
        for client in ("package", "command"):
            self.attacker.tell(attack="server-tls")
            outcome = self.run_by(self.alice, client, case, "kept")
            self.assertIsNotNone(outcome.key, outcome.said)
            self.assertNotEqual(outcome.key, self.stage.admin.keys.export("kept").key.reveal())
            self.attacker.tell(attack="none")
            outcome = self.run_by(self.alice, client, case, "kept")
            self.assertEqual((outcome.error, outcome.side), ("certificate-untrusted", I))

    def test_a_request_that_was_held_back_is_its_senders(self) -> None:
        for client in ("package", "command"):
            held = f"held-{client}"
            case = Case("deliver-held", "transcript", I, NOTHING)
            self.attacker.tell(attack="hold")
            kept = self.run_by(self.bob, client, case, held)
            self.assertEqual((kept.key, kept.error), (None, None))
            self.is_left(held, NOTHING)
            self.one(case, client, f"for-{held}")
            self.is_left(held, WAITS)
            self.assertIn("bob", self.stage.admin.keys.show(held).owner)

    def test_two_runs_are_not_spliced(self) -> None:
        for mine, theirs in (("package", "command"), ("command", "package")):
            self.news(self.stage.server)
            self.attacker.tell(attack="splice")
            case = Case("splice", "transcript", I, WAITS)
            runs = {f"alices-{mine}": (self.alice, mine), f"bobs-{mine}": (self.bob, theirs)}
            outcomes: Dict[str, Outcome] = {}

            def go(key: str, person: Person, client: str) -> None:
                outcomes[key] = self.run_by(person, client, case, key)

            threads = [
                threading.Thread(target=go, args=(key, *run)) for key, run in runs.items()
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for key in runs:
                outcome = outcomes[key]
                self.assertEqual((outcome.error, outcome.side), ("transcript", I), outcome.said)
                self.is_left(key, WAITS)
            self.assertEqual(self.refusals(self.stage.server), [])
            self.assertEqual(self.attacker.tell(report=True)["acted"], 2)

    def test_no_attack_is_left_out(self) -> None:
        self.assertEqual({case.attack for case in CASES} | ELSEWHERE, set(ATTACKS))


if __name__ == "__main__":
    unittest.main()
