"""A reader of the vectors in testdata/sealing for docs/sealing.md, written from
that page and docs/exchange.md alone, on the parts that check_vectors.py put
together. It opens each message with the recipient's key.
"""

import hmac
import json
import sys

from check_vectors import PRIVATE, Context, cbor, decapsulate, derive_private, public_of, sha512, sign1
from cryptography import x509


def name_of(certificate):
    """The URI that is all of the certificate's names."""
    names = x509.load_der_x509_certificate(certificate).extensions
    names = list(names.get_extension_for_class(x509.SubjectAlternativeName).value)
    assert len(names) == 1 and isinstance(names[0], x509.UniformResourceIdentifier)
    return names[0].value


def check_random(kem, case, message):
    """Whether key, nonces and encapsulation are made of what was drawn."""
    assert derive_private(kem, case["key_random"]) == case["sealing_private_key"]
    drawn = case["message_random"]
    assert drawn[:32] == message[6]
    rest, enc = drawn[32:], message[4]
    if kem in (0x10, 0x11, 0x12, 0x20):
        assert public_of(kem, derive_private(kem, rest)) == enc
    elif kem == 0x647A:
        # ML-KEM's half is not to be had from `cryptography`.
        assert len(rest) == 64 and public_of(0x20, rest[32:]) == enc[1088:]
    else:
        assert len(rest) == 32


def check(case):
    texts = ("name", "recipient_name", "sender_name")
    case = {name: bytes.fromhex(value) if isinstance(value, str) and name not in texts else value for name, value in case.items()}
    suite = case["suite"]
    assert len(case["key_random"]) == PRIVATE[suite[0]]

    statement, recipient = sign1(case["statement"], b"skms-sealing-v1 statement", case["anchor"])
    assert list(statement) == list(range(1, 11))
    assert statement[1] == 1 and statement[2] == 4 and statement[3] == suite
    assert statement[4] == case["sealing_public_key"]
    assert statement[5] == sha512(recipient)
    assert statement[6] == case["recipient_name"] == name_of(recipient)
    assert statement[7] == case["statement_random"]
    assert statement[8] == statement[9] == case["time"]
    assert statement[10] == case["not_after"] <= statement[9] + 31_622_400
    s = sha512(b"skms-sealing-v1 statement hash", cbor(statement))
    assert s == case["statement_hash"]

    message, sender = sign1(case["message"], b"skms-sealing-v1 message", case["anchor"])
    assert list(message) == list(range(1, 10))
    assert message[1] == 1 and message[2] == 5 and message[3] == s
    assert message[5] == sha512(sender) and name_of(sender) == case["sender_name"]
    assert message[7] == case["time"]
    check_random(suite[0], case, message)
    shared, public = decapsulate(suite[0], case["sealing_private_key"], message[4])
    assert public == case["sealing_public_key"]
    context = Context(suite, shared, b"skms-sealing-v1 hpke" + s + message[5])
    head = cbor({key: value for key, value in message.items() if key <= 7})
    content = context.open(head, message[8])
    assert content == case["content"]
    key = context.export(b"skms-sealing-v1 commit")
    assert key == case["commitment_key"]
    assert hmac.digest(key, head + content, "sha512") == message[9], "the commitment"

    status, server = sign1(case["status"], b"skms-sealing-v1 status", case["anchor"])
    assert status == {1: 1, 2: 6, 3: s, 4: 1, 5: sha512(server), 6: case["nonce"], 7: case["time"]}


def main():
    cases = json.load(sys.stdin)
    for case in cases:
        try:
            check(case)
        except Exception as error:
            sys.exit(f"{case['name']}: {type(error).__name__}: {error}")
    print(len(cases))


main()
