"""Message 2 bent in every way that the paper names."""

import copy
import unittest
from typing import Any, Callable, Dict

from cryptography.hazmat.primitives.asymmetric import ed25519

from skms.errors import ExchangeRefused
from skms.exchange import Agreement, Distribution, Identity, cbor, cose
from tests import vectors

CASES = {name: vectors.named(f"X-Wing, Ed25519, {name}") for name in ("agreement", "distribution")}


class Refusals(unittest.TestCase):
    def refused(self, name: str, case: Dict[str, Any], message: bytes, exchange: Any = None) -> None:
        exchange = exchange or vectors.begin(case)
        with self.assertRaises(ExchangeRefused) as caught:
            exchange.receive(message, vectors.Signatures(case))
        self.assertEqual((caught.exception.name, caught.exception.side), (name, "initiator"))

    def changed(
        self, name: str, change: Callable[[Dict[int, Any]], Any], kind: str = "agreement",
        confirm: bool = True,
    ) -> None:
        case = CASES[kind]
        self.refused(name, case, vectors.signed_anew(case, change, confirm))

    def test_signing_anew_without_a_change_is_accepted(self) -> None:
        for case in CASES.values():
            message = vectors.signed_anew(case)
            accepted = vectors.begin(case).receive(message, vectors.Signatures(case))
            self.assertEqual(len(accepted.key), len(case["key"]))

    def test_a_bit_changed_anywhere_is_refused(self) -> None:
        for case in CASES.values():
            begun = vectors.begin(case)
            for at in range(0, len(case["message_2"]), 7):
                bent = bytearray(case["message_2"])
                bent[at] ^= 1 << at % 8
                with self.subTest(at=at), self.assertRaises(ExchangeRefused):
                    try:
                        copy.copy(begun).receive(bytes(bent), vectors.Signatures(case))
                    except Exception as error:
                        # Certificates are bent too, and this trust is a plain one.
                        if isinstance(error, ExchangeRefused):
                            raise
                        raise ExchangeRefused("certificate-untrusted") from None

    def test_form(self) -> None:
        case = CASES["agreement"]
        whole = case["message_2"]
        self.refused("too-long", case, bytes(65_537))
        self.refused("malformed", case, whole + b"\0")
        self.refused("malformed", case, whole[:-1])
        self.refused("malformed", case, b"")
        self.refused("malformed", case, whole[1:])
        for key in (3, 4, 5, 6, 7, 8, 9):
            self.changed("malformed", lambda fields, key=key: fields.pop(key))  # type: ignore[misc]
        self.changed("malformed", lambda fields: fields.update({12: 0}))
        self.changed("malformed", lambda fields: fields.update({10: bytes(32)}))
        self.changed("malformed", lambda fields: fields.pop(10), "distribution")
        self.changed("malformed", lambda fields: fields.update({7: bytes(31)}))
        for bent in (
            {10: 15}, {10: 513}, {8: 0}, {9: ""}, {2: "x" * 256}, {6: ["sign", "mac"]},
            {6: ["mac", "mac"]}, {5: "x" * 65}, {11: "raw"}, {1: 3}, {7: 0},
        ):
            with self.subTest(bent):
                self.changed("malformed", lambda fields, bent=bent: fields[9].update(bent))  # type: ignore[misc]
        self.changed("malformed", lambda f: f[9].update({11: "pem"}), "distribution")

    def test_other_messages_and_versions(self) -> None:
        case = CASES["agreement"]
        self.refused("wrong-message", case, case["message_1"])
        self.refused("wrong-message", case, case["message_3"])
        self.changed("wrong-message", lambda fields: fields.update({2: 1}))
        self.changed("unsupported-version", lambda fields: fields.update({1: 2}))
        self.refused("transcript", case, CASES["distribution"]["message_2"])
        self.changed("transcript", lambda fields: fields.update({3: bytes(64)}))
        self.changed("suite-not-offered", lambda fields: fields.update({4: [0x41, 1, 2]}))

    def test_an_exchange_takes_one_answer(self) -> None:
        case = CASES["agreement"]
        begun = vectors.begin(case)
        begun.receive(case["message_2"], vectors.Signatures(case))
        self.refused("wrong-message", case, case["message_2"], begun)
        begun = vectors.begin(case)
        self.refused("malformed", case, b"", begun)
        self.refused("wrong-message", case, case["message_2"], begun)

    def test_time(self) -> None:
        case = CASES["agreement"]
        time = case["time"]
        for offset, name in ((61, "from-the-future"), (-181, "stale")):
            self.changed(name, lambda f, offset=offset: f.update({8: time + offset}))  # type: ignore[misc]
        for offset in (60, -180):
            message = vectors.signed_anew(case, lambda f, o=offset: f.update({8: time + o}))  # type: ignore[misc]
            vectors.begin(case).receive(message, vectors.Signatures(case))
        clock = [float(time)]
        late = vectors.begin(case, lambda: clock[0])
        clock[0] += 121
        self.refused("too-late", case, case["message_2"], late)

    def test_who_signs(self) -> None:
        case = CASES["agreement"]
        self.changed("wrong-certificate", lambda fields: fields.update({6: bytes(64)}))
        for alg in (-7, -37, -48):
            self.refused("signature-algorithm", case, vectors.signed_anew(case, alg=alg))
        self.refused("signature-algorithm", case, vectors.signed_anew(case, alg=-257))
        responder = vectors.party(case, "responder")
        stranger = copy.copy(responder)
        object.__setattr__(stranger, "private_key", ed25519.Ed25519PrivateKey.generate())
        self.refused("signature", case, vectors.signed_anew(case, own=stranger))
        # The label of another message is another signature.
        payload = cose.read(case["message_2"], vectors.TWO).payload
        chain = [bytes.fromhex(one) for one in case["responder"]["chain"]]
        other = cose.sign(-8, chain, b"skms-exchange-v1 message 1", payload, responder.sign)
        self.refused("signature", case, other)
        # Ed25519's two numbers are one signature.
        vectors.begin(case).receive(
            vectors.signed_anew(case, alg=-19), vectors.Signatures(case)
        )

    def test_a_certificate_for_clients_and_ones_own_key(self) -> None:
        case = CASES["agreement"]
        import hashlib

        own = vectors.party(case, "initiator")
        first = bytes.fromhex(case["initiator"]["chain"][0])
        reflect = {6: hashlib.sha512(first).digest()}
        message = vectors.signed_anew(case, lambda f: f.update(reflect), own=own)
        self.refused("same-party", case, message)
        other = vectors.named("X-Wing, EC-P256, agreement")
        client = Identity(vectors.party(other, "initiator").chain, vectors.party(other, "initiator").private_key)
        first = bytes.fromhex(other["initiator"]["chain"][0])
        message = vectors.signed_anew(
            case, lambda f: f.update({6: hashlib.sha512(first).digest()}), own=client
        )
        self.refused("certificate-purpose", case, message)

    def test_what_the_key_hangs_on(self) -> None:
        for case in CASES.values():
            self.refused(
                "encapsulation", case,
                vectors.signed_anew(case, lambda f: f.update({5: f[5][:-1]})),
            )
            # X25519's half is a point of small order: a zero secret.
            self.refused(
                "encapsulation", case,
                vectors.signed_anew(case, lambda f: f.update({5: f[5][:1088] + bytes(32)})),
            )
            # An ML-KEM ciphertext that was altered gives another secret.
            self.refused(
                "confirmation", case,
                vectors.signed_anew(case, lambda f: f.update({5: bytes([f[5][0] ^ 1]) + f[5][1:]})),
            )
        self.changed("confirmation", lambda f: f.update({11: bytes(64)}), confirm=False)
        self.changed("confirmation", lambda f: f.update({7: bytes(32)}), confirm=False)
        self.changed("sealed", lambda f: f.update({10: bytes(32)}), "distribution")
        # The head is sealed in: another version of the same key does not open.
        self.changed("sealed", lambda f: f.update({7: bytes(32)}), "distribution")

    def test_points_off_their_curve(self) -> None:
        for name in ("EC-P256", "EC-P384", "EC-P521", "X25519"):
            case = vectors.named(f"{name}, Ed25519, agreement")
            message = vectors.signed_anew(
                case, lambda f: f.update({5: f[5][:1] + bytes(len(f[5]) - 1) if name != "X25519" else bytes(32)})
            )
            with self.subTest(name):
                self.refused("encapsulation", case, message)

    def test_grants_that_were_not_asked_for(self) -> None:
        for bent in ({2: "other"}, {3: "other"}, {4: "other"}, {5: "AES-128-GCM"}):
            with self.subTest(bent):
                self.changed("grant", lambda f, bent=bent: f[9].update(bent))  # type: ignore[misc]
        for bent in ({2: "other"}, {3: "other"}, {4: "other"}):
            self.changed("grant", lambda f, bent=bent: f[9].update(bent), "distribution")  # type: ignore[misc]

    def test_grants_against_requests(self) -> None:
        from skms.exchange.initiator import check_grant
        from skms.exchange.messages import Grant

        def grant(**other: Any) -> Grant:
            fields: Dict[str, Any] = dict(
                kind=1, namespace="n", keyring="r", name="k", algorithm="A", uses=("mac",),
                lifetime_seconds=10, version=1, id="i", length=32, format=None,
            )
            return Grant(**{**fields, **other})

        asked = Agreement("n", "r", "k", "A", ("mac",), 10)
        check_grant(asked, grant())
        check_grant(asked, grant(lifetime_seconds=9))
        check_grant(Agreement("n", "r", "k", "A"), grant(uses=("x",), lifetime_seconds=None))
        for other in (
            dict(lifetime_seconds=11), dict(lifetime_seconds=None), dict(uses=()),
            dict(uses=("mac", "x")), dict(kind=2), dict(algorithm="B"),
        ):
            with self.subTest(other), self.assertRaises(ExchangeRefused):
                check_grant(asked, grant(**other))
        fetch = Distribution("n", "r", "k", 2)
        check_grant(fetch, grant(kind=2, version=2))
        for other in (dict(kind=2), dict(version=2)):
            with self.subTest(other), self.assertRaises(ExchangeRefused):
                check_grant(fetch, grant(**other))

    def test_signatures_have_one_length(self) -> None:
        case = vectors.named("X-Wing, EC-P256, agreement")
        own = vectors.party(case, "responder")

        class Longer:
            algorithm, chain = own.algorithm, own.chain

            @staticmethod
            def sign(message: bytes) -> bytes:
                signature = own.sign(message)
                return signature[:32] + b"\0" + signature[32:]

        self.refused("signature", case, vectors.signed_anew(case, own=Longer()))  # type: ignore[arg-type]
        vectors.begin(case).receive(vectors.signed_anew(case), vectors.Signatures(case))

    def test_one_certificate_is_no_array(self) -> None:
        case = CASES["agreement"]
        signed = cbor.decode(case["message_2"], tag=True).value
        header = cbor.decode(signed[0], header=True)
        for chain in (header[33][:1], header[33] * 5, [1, 2], [], 7):
            bent = [cbor.encode({**header, 33: chain}), *signed[1:]]
            message = cbor.encode(cbor.Tagged(18, bent))
            with self.subTest(len(str(chain))):
                self.refused("malformed", case, message)

    def test_unreadable_certificates(self) -> None:
        case = CASES["agreement"]
        import hashlib

        payload = cbor.decode(cose.read(case["message_2"], vectors.TWO).payload)
        payload[6] = hashlib.sha512(b"none").digest()
        sign = vectors.party(case, "responder").sign
        message = cose.sign(-8, [b"none"], vectors.TWO, cbor.encode(payload), sign)
        self.refused("certificate-untrusted", case, message)


if __name__ == "__main__":
    unittest.main()
