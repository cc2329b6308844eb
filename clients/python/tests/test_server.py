"""Everything against the real server."""

import hashlib
import unittest
from typing import Any, Callable, Dict, Mapping, Optional

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_der_public_key

import skms
from skms.exchange import Agreement, Initiator
from skms.transport import from_base64, to_base64
from tests.server import Server


class Real(unittest.TestCase):
    server: Server
    client: skms.Client

    @classmethod
    def setUpClass(cls) -> None:
        cls.server = Server()
        cls.client = cls.server.client()

    @classmethod
    def tearDownClass(cls) -> None:
        cls.client.close()
        cls.server.close()

    def refused(self, kind: str, call: Callable[[], Any]) -> skms.Problem:
        with self.assertRaises(skms.Problem) as caught:
            call()
        self.assertEqual(caught.exception.kind, kind)
        return caught.exception


class Keys(Real):
    def test_a_life(self) -> None:
        keys = self.client.keys
        made = keys.create("life", "AES-256-GCM", tags={"team": "a"})
        self.assertEqual((made.key.state, made.key.latest_version), ("active", 1))
        self.refused("already-exists", lambda: keys.create("life", "AES-256-GCM"))
        self.assertEqual(keys.show("life"), made.key)
        self.assertIn("life", [key.name for key in keys.list(page=1)])
        first = self.client.encrypt("life", b"hello", associated_data=b"place")
        self.assertEqual(keys.rotate("life").key.latest_version, 2)
        self.assertEqual([one.version for one in keys.versions("life")], [1, 2])
        self.assertEqual(self.client.decrypt("life", first, associated_data=b"place"), b"hello")
        self.refused(
            "decryption-failed", lambda: self.client.decrypt("life", first, associated_data=b"x")
        )
        keys.suspend("life", version=2)
        self.refused("wrong-state", lambda: self.client.encrypt("life", b"x"))
        keys.resume("life", version=2)
        self.assertTrue(self.client.encrypt("life", b"x").startswith("skms:v2:"))
        keys.revoke("life", "superseded", version=1, message="an older one")
        keys.revoke("life", "keyCompromise", version=2)
        self.assertEqual(keys.show("life").state, "compromised")
        waits = keys.destroy("life", version=2)
        self.assertTrue(waits.versions[0].members["destroy_at"])
        keys.restore("life", version=2)
        absent = self.refused("not-found", lambda: keys.show("nobody"))
        self.assertTrue(absent.request_id)
        self.assertEqual(absent.status, 404)

    def test_what_leaves(self) -> None:
        keys = self.client.keys
        keys.create("leaves", "AES-256-GCM", exportable=True)
        ciphertext = self.client.encrypt("leaves", b"hello")
        exported = keys.export("leaves")
        self.assertEqual((exported.format, len(exported.key)), ("raw", 32))
        self.assertTrue(ciphertext.startswith("skms:v1:"))
        keys.create("stays", "AES-256-GCM")
        self.refused("not-exportable", lambda: keys.export("stays"))

    def test_signatures_hold_elsewhere(self) -> None:
        self.client.keys.create("signs", "EC-P256")
        made = self.client.sign("signs", b"message", encoding="der")
        public = self.client.keys.public("signs", format="spki")
        key = load_der_public_key(public.public_key)
        assert isinstance(key, ec.EllipticCurvePublicKey)
        key.verify(made.signature, b"message", ec.ECDSA(hashes.SHA256()))
        self.assertTrue(self.client.verify("signs", b"message", made, encoding="der"))
        self.assertFalse(self.client.verify("signs", b"another", made, encoding="der"))

    def test_other_operations(self) -> None:
        client = self.client
        client.keys.create("macs", "HMAC-SHA-256")
        mac = client.mac("macs", b"data")
        self.assertTrue(client.mac_verify("macs", b"data", mac))
        self.assertFalse(client.mac_verify("macs", b"other", mac.mac))
        client.keys.create("seals", "AES-256-GCM")
        data = client.datakey("seals", length_bytes=32)
        assert data.plaintext is not None
        self.assertTrue(data.plaintext.matches(client.decrypt("seals", data.ciphertext)))
        self.assertIsNone(client.datakey("seals", plaintext=False).plaintext)
        client.keys.create("wraps", "AES-256-KWP")
        wrapped = client.wrap("wraps", data.plaintext)
        self.assertTrue(client.unwrap("wraps", wrapped).matches(data.plaintext))
        self.assertEqual(len(client.random(48)), 48)
        self.assertFalse(client.random().matches(client.random()))
        self.assertEqual(client.hash(b"abc"), hashlib.sha256(b"abc").digest())
        self.assertEqual(client.hash(b"abc", "SHA-512"), hashlib.sha512(b"abc").digest())

    def test_a_token_does_too(self) -> None:
        token = (self.server.folder / "root.token").read_text()
        with self.server.client(client_cert=None, token=token) as client:
            self.assertEqual(len(client.random(8)), 8)
            with self.assertRaises(ValueError):
                client.exchange.fetch("x")
        with self.server.client(client_cert=None, token="wrong") as client:
            problem = self.refused("unauthenticated", lambda: client.keys.show("x"))
            self.assertNotIn("wrong", str(problem))

    def test_another_authority_is_not_the_pinned_one(self) -> None:
        other = Server()
        self.addCleanup(other.close)
        with self.server.client(ca_file=other.folder / "data/ca.pem") as client:
            with self.assertRaises(skms.TransportError) as caught:
                client.keys.show("x")
        self.assertIn("certificate", str(caught.exception))


class Exchange(Real):
    def test_a_key_is_fetched(self) -> None:
        self.client.keys.create("fetched", "AES-256-GCM", exportable=True)
        exported = self.client.keys.export("fetched").key
        offered = [suite for suite in skms.available_suites() if suite.post_quantum]
        self.assertIn(skms.Suite.X_WING, offered)
        for suite in offered:
            fetched = self.client.exchange.fetch("fetched", offers=[suite])
            self.assertEqual((fetched.suite, fetched.format), (suite, "raw"))
            self.assertTrue(fetched.key.matches(exported))
        self.client.keys.rotate("fetched")
        newest = self.client.exchange.fetch("fetched")
        self.assertEqual(newest.version, 2)
        self.assertFalse(newest.key.matches(exported))
        self.assertTrue(self.client.exchange.fetch("fetched", version=1).key.matches(exported))
        self.client.keys.create("pair", "EC-P256", exportable=True)
        self.assertEqual(self.client.exchange.fetch("pair").format, "pkcs8")
        self.client.keys.create("kept", "AES-256-GCM")
        self.refused("not-exportable", lambda: self.client.exchange.fetch("kept"))
        self.refused("not-found", lambda: self.client.exchange.fetch("nobody"))

    def test_a_key_is_agreed_on(self) -> None:
        agreed = self.client.exchange.agree("agreed", lifetime_seconds=3600)
        self.assertEqual((agreed.algorithm, len(agreed.key)), ("AES-256-GCM", 32))
        shown = self.client.keys.show("agreed")
        self.assertEqual((shown.id, shown.state), (agreed.id, "active"))
        # Both have the same: what the server encrypts opens here.
        text = self.client.encrypt("agreed", b"hello")
        octets = from_base64(text.split(":")[2])
        opened = AESGCM(agreed.key.reveal()).decrypt(octets[:12], octets[12:], None)
        self.assertEqual(opened, b"hello")
        self.refused("already-exists", lambda: self.client.exchange.agree("agreed"))
        mac = self.client.exchange.agree("agreed-mac", "HMAC-SHA-256", uses=["mac"])
        self.assertEqual(mac.uses, ("mac",))

    def test_no_token_goes_along(self) -> None:
        self.client.keys.create("tokenless", "AES-256-GCM", exportable=True)
        with self.server.client(token="of-somebody-else") as client:
            exchange = client.exchange
            honest = exchange._transport.call
            seen = []

            def watched(*arguments: Any, **how: Any) -> Any:
                seen.append(how.get("authenticate"))
                return honest(*arguments, **how)

            exchange._transport.call = watched  # type: ignore[method-assign]
            exchange.fetch("tokenless")
        self.assertEqual(seen, [False])

    def test_classic_suites_are_refused_by_the_server(self) -> None:
        self.client.keys.create("classic", "AES-256-GCM", exportable=True)
        with self.assertRaises(skms.ExchangeRefused) as caught:
            self.client.exchange.fetch("classic", offers=[skms.Suite.P256, skms.Suite.X25519])
        refused = caught.exception
        self.assertEqual((refused.name, refused.side), ("no-common-suite", "responder"))
        assert refused.problem is not None
        self.assertTrue(refused.problem.request_id)

    def between(self, change: Callable[[Dict[str, Any]], None], name: str, side: str = "initiator") -> None:
        """Fetches with somebody between client and server."""
        exchange = self.client.exchange
        honest = exchange._transport.call

        def bent(method: str, path: str, body: Optional[Mapping[str, Any]] = None, **how: Any) -> Any:
            sent = dict(body or {}, request=True)
            change(sent)
            sent.pop("request")
            answer = honest(method, path, sent, **how)
            change(answer)
            return answer

        class Between:
            call = staticmethod(bent)

        exchange._transport = Between()  # type: ignore[assignment]
        with self.assertRaises(skms.ExchangeRefused) as caught:
            exchange.fetch("watched")
        self.assertEqual((caught.exception.name, caught.exception.side), (name, side))

    def test_somebody_in_the_middle(self) -> None:
        self.client.keys.create("watched", "AES-256-GCM", exportable=True)
        self.client.exchange.fetch("watched")

        def answers(change: Callable[[Dict[str, Any]], None]) -> Callable[[Dict[str, Any]], None]:
            return lambda body: None if "request" in body else change(body)

        def flip(body: Dict[str, Any], at: int) -> None:
            octets = bytearray(from_base64(body["message"]))
            octets[at] ^= 1
            body["message"] = to_base64(bytes(octets))

        self.between(answers(lambda body: flip(body, -1)), "signature")
        # The confirmation is the payload's end, the signature follows it.
        self.between(answers(lambda body: flip(body, -80)), "signature")
        self.between(answers(lambda body: flip(body, 0)), "malformed")
        self.between(answers(lambda body: body.update(crls=[])), "revocation-unknown")
        seen: Dict[str, Any] = {}

        def keep(body: Dict[str, Any]) -> None:
            seen.setdefault("request" if "request" in body else "answer", body["message"])

        def earlier(body: Dict[str, Any]) -> None:
            body["message"] = seen["answer"]

        self.keep(keep)
        self.between(answers(earlier), "transcript")
        reflected = lambda body: body.update(message=seen["request"])  # noqa: E731
        self.between(answers(reflected), "wrong-message")
        # The server, for its part, takes a message once, and unchanged.
        again = lambda body: body.update(message=seen["request"]) if "request" in body else None  # noqa: E731
        self.between(again, "replayed", "responder")
        request = lambda body: flip(body, -1) if "request" in body else None  # noqa: E731
        self.between(request, "signature", "responder")

    def keep(self, change: Callable[[Dict[str, Any]], None]) -> None:
        """A fetch that is watched only."""
        exchange = self.client.exchange
        honest = exchange._transport.call

        def watched(method: str, path: str, body: Mapping[str, Any], **how: Any) -> Any:
            change(dict(body, request=True))
            answer = honest(method, path, body, **how)
            change(answer)
            return answer

        class Watched:
            call = staticmethod(watched)

        exchange._transport = Watched()  # type: ignore[assignment]
        exchange.fetch("watched")

    def test_stale_and_wrongly_addressed_messages(self) -> None:
        import time

        from skms.exchange import ServerName

        exchange = self.client.exchange
        request = Agreement("root", "default", "never", "AES-256-GCM")
        for offset, name in ((-1000, "stale"), (1000, "from-the-future")):
            begun = Initiator(
                exchange._identity, exchange._server, request, clock=lambda: time.time() + offset
            )
            with self.assertRaises(skms.ExchangeRefused) as caught:
                exchange._send("/exchange", begun.message_1)
            self.assertEqual((caught.exception.name, caught.exception.side), (name, "responder"))
        elsewhere = Initiator(exchange._identity, ServerName.of("other.example.org"), request)
        with self.assertRaises(skms.ExchangeRefused) as caught:
            exchange._send("/exchange", elsewhere.message_1)
        self.assertEqual(caught.exception.name, "wrong-server")
        self.refused("not-found", lambda: self.client.keys.show("never"))

    def test_a_true_answer_under_other_anchors_and_names(self) -> None:
        from cryptography import x509

        from skms.exchange import AnchorTrust, ServerName

        other = Server()
        self.addCleanup(other.close)
        self.client.keys.create("anchored", "AES-256-GCM", exportable=True)
        exchange = self.client.exchange
        anchors = x509.load_pem_x509_certificates((other.folder / "data/ca.pem").read_bytes())
        exchange._trust = AnchorTrust(anchors)
        with self.assertRaises(skms.ExchangeRefused) as caught:
            exchange.fetch("anchored")
        self.assertEqual(caught.exception.name, "certificate-untrusted")
        # A clock that is ahead of what the lists and the window allow.
        exchange = self.client.exchange
        trust = exchange._trust

        class Elsewhere:
            def check(self, chain: Any, server: Any, now: Any, crls: Any) -> None:
                trust.check(chain, ServerName.of("other.example.org"), now, crls)

        exchange._trust = Elsewhere()
        with self.assertRaises(skms.ExchangeRefused) as caught:
            exchange.fetch("anchored")
        self.assertEqual(caught.exception.name, "certificate-name")

    def test_no_confirmation_no_key(self) -> None:
        exchange = self.client.exchange
        request = Agreement("root", "default", "waits", "AES-256-GCM")
        begun = Initiator(exchange._identity, exchange._server, request)
        answer = exchange._send("/exchange", begun.message_1)
        lists = [from_base64(one) for one in answer["crls"]]
        accepted = begun.receive(from_base64(answer["message"]), exchange._trust, lists)
        self.assertEqual(self.client.keys.show("waits").state, "pre-activation")
        third = accepted.message_3
        assert third is not None
        for bent in (third[:-1] + bytes([third[-1] ^ 1]), third[:-70] + bytes(70)):
            with self.assertRaises(skms.ExchangeRefused) as caught:
                exchange._send("/exchange/confirm", bent)
            self.assertEqual(caught.exception.side, "responder")
        self.assertEqual(self.client.keys.show("waits").state, "pre-activation")
        exchange._send("/exchange/confirm", third)
        self.assertEqual(self.client.keys.show("waits").state, "active")
        with self.assertRaises(skms.ExchangeRefused) as caught:
            exchange._send("/exchange/confirm", third)
        self.assertEqual(caught.exception.name, "transcript")


if __name__ == "__main__":
    unittest.main()
