"""Checks the vectors of docs/exchange.md, written from that page alone.

Reads a list of them from its input and prints how many hold. It shares no code
with the server: CBOR by cbor2, primitives by `cryptography`, HPKE and X-Wing put
together here.
"""

import hashlib
import hmac
import json
import sys

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, mlkem, padding, rsa, utils
from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HASHES = {1: "sha256", 2: "sha384", 3: "sha512"}
CURVES = {0x10: (ec.SECP256R1(), "sha256"), 0x11: (ec.SECP384R1(), "sha384"), 0x12: (ec.SECP521R1(), "sha512")}


def sha512(*parts):
    return hashlib.sha512(b"".join(parts)).digest()


def extract(hash_name, salt, ikm):
    size = hashlib.new(hash_name).digest_size
    return hmac.new(salt or b"\0" * size, ikm, hash_name).digest()


def expand(hash_name, prk, info, length):
    out, block, number = b"", b"", 1
    while len(out) < length:
        block = hmac.new(prk, block + info + bytes([number]), hash_name).digest()
        out, number = out + block, number + 1
    return out[:length]


class Labels:
    """LabeledExtract and LabeledExpand (RFC 9180, section 4)."""

    def __init__(self, hash_name, suite_id):
        self.hash_name, self.suite_id = hash_name, suite_id

    def extract(self, salt, label, ikm):
        return extract(self.hash_name, salt, b"HPKE-v1" + self.suite_id + label + ikm)

    def expand(self, prk, label, info, length):
        labelled = length.to_bytes(2, "big") + b"HPKE-v1" + self.suite_id + label + info
        return expand(self.hash_name, prk, labelled, length)


def raw(key):
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def point(key):
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def dhkem(kem, hash_name, dh, enc, public):
    """ExtractAndExpand (RFC 9180, section 4.1)."""
    labels = Labels(hash_name, b"KEM" + kem.to_bytes(2, "big"))
    prk = labels.extract(b"", b"eae_prk", dh)
    length = hashlib.new(hash_name).digest_size
    return labels.expand(prk, b"shared_secret", enc + public, length)


def x_wing(seed, enc):
    """draft-connolly-cfrg-xwing-kem, section 5.4; gives the public key too."""
    expanded = hashlib.shake_256(seed).digest(96)
    ml = mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
    x = x25519.X25519PrivateKey.from_private_bytes(expanded[64:])
    ss_m = ml.decapsulate(enc[:1088])
    ss_x = x.exchange(x25519.X25519PublicKey.from_public_bytes(enc[1088:]))
    pk_x = raw(x.public_key())
    secret = hashlib.sha3_256(ss_m + ss_x + enc[1088:] + pk_x + b"\\.//^\\").digest()
    return secret, raw(ml.public_key()) + pk_x


def decapsulate(kem, private, enc):
    """The KEM's shared secret and the public key of a private one."""
    if kem == 0x647A:
        return x_wing(private, enc)
    if kem in (0x41, 0x42):
        kind = {0x41: mlkem.MLKEM768PrivateKey, 0x42: mlkem.MLKEM1024PrivateKey}[kem]
        key = kind.from_seed_bytes(private)
        return key.decapsulate(enc), raw(key.public_key())
    if kem == 0x20:
        key = x25519.X25519PrivateKey.from_private_bytes(private)
        public = raw(key.public_key())
        dh = key.exchange(x25519.X25519PublicKey.from_public_bytes(enc))
        return dhkem(kem, "sha256", dh, enc, public), public
    curve, hash_name = CURVES[kem]
    key = ec.derive_private_key(int.from_bytes(private, "big"), curve)
    public = point(key.public_key())
    dh = key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(curve, enc))
    return dhkem(kem, hash_name, dh, enc, public), public


ORDERS = {
    0x10: 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    0x11: 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    0x12: 0x01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409,
}
PRIVATE = {0x10: 32, 0x11: 48, 0x12: 66, 0x20: 32, 0x41: 64, 0x42: 64, 0x647A: 32}


def derive_private(kem, ikm):
    """DeriveKeyPair (RFC 9180, section 7.1.3; draft-ietf-hpke-pq, section 5)."""
    size, suite_id = PRIVATE[kem], b"KEM" + kem.to_bytes(2, "big")
    assert len(ikm) == size
    if kem in (0x41, 0x42, 0x647A):
        label = b"DeriveKeyPair"
        labelled = ikm + b"HPKE-v1" + suite_id + len(label).to_bytes(2, "big") + label + size.to_bytes(2, "big")
        return hashlib.shake_256(labelled).digest(size)
    labels = Labels("sha256" if kem == 0x20 else CURVES[kem][1], suite_id)
    prk = labels.extract(b"", b"dkp_prk", ikm)
    if kem == 0x20:
        # SerializePrivateKey clamps.
        private = bytearray(labels.expand(prk, b"sk", b"", size))
        private[0] &= 248
        private[31] = private[31] & 127 | 64
        return bytes(private)
    for counter in range(256):
        candidate = bytearray(labels.expand(prk, b"candidate", bytes([counter]), size))
        candidate[0] &= 0x01 if kem == 0x12 else 0xFF
        if 0 < int.from_bytes(candidate, "big") < ORDERS[kem]:
            return bytes(candidate)
    raise ValueError("no private key")


def public_of(kem, private):
    if kem == 0x20:
        return raw(x25519.X25519PrivateKey.from_private_bytes(private).public_key())
    return point(ec.derive_private_key(int.from_bytes(private, "big"), CURVES[kem][0]).public_key())


def check_random(kem, case, first, second):
    """Whether keys, nonces and encapsulations are made of what was drawn."""
    size, drawn = PRIVATE[kem], case["initiator_random"]
    assert derive_private(kem, drawn[:size]) == case["ephemeral_private_key"]
    assert drawn[size:] == first[6]
    drawn = case["responder_random"]
    assert drawn[:32] == second[7]
    rest, enc = drawn[32:], second[5]
    if kem in (0x10, 0x11, 0x12, 0x20):
        assert public_of(kem, derive_private(kem, rest)) == enc
    elif kem == 0x647A:
        # ML-KEM's half is not to be had from `cryptography`.
        assert len(rest) == 64 and public_of(0x20, rest[32:]) == enc[1088:]
    else:
        assert len(rest) == 32


class Context:
    """The receiver's context in base mode (RFC 9180, section 5.1)."""

    def __init__(self, suite, shared, info):
        kem, kdf, aead = suite
        assert aead == 2
        ids = b"".join(number.to_bytes(2, "big") for number in suite)
        self.labels = labels = Labels(HASHES[kdf], b"HPKE" + ids)
        context = b"\0" + labels.extract(b"", b"psk_id_hash", b"") + labels.extract(b"", b"info_hash", info)
        secret = labels.extract(shared, b"secret", b"")
        self.key = labels.expand(secret, b"key", context, 32)
        self.nonce = labels.expand(secret, b"base_nonce", context, 12)
        size = hashlib.new(HASHES[kdf]).digest_size
        self.exporter = labels.expand(secret, b"exp", context, size)

    def export(self, label):
        return self.labels.expand(self.exporter, b"sec", label, 64)

    def open(self, aad, ciphertext):
        return AESGCM(self.key).decrypt(self.nonce, ciphertext, aad)


def cbor(value):
    return cbor2.dumps(value, canonical=True)


def read(data):
    """CBOR that is deterministic: written again it is the same."""
    value = cbor2.loads(data)
    # cbor2's canonical order of keys is by length and then by bytes, which for
    # the small numbers used here is the order of RFC 8949, section 4.2.1.
    assert cbor(value) == data, "another encoding"
    return value


def verify(key, alg, signature, message):
    curves = {-7: ("secp256r1", hashes.SHA256()), -35: ("secp384r1", hashes.SHA384()), -36: ("secp521r1", hashes.SHA512())}
    pss = {-37: hashes.SHA256(), -38: hashes.SHA384(), -39: hashes.SHA512()}
    dsa = {-48: mldsa.MLDSA44PublicKey, -49: mldsa.MLDSA65PublicKey, -50: mldsa.MLDSA87PublicKey}
    if alg == -8:
        assert isinstance(key, ed25519.Ed25519PublicKey)
        key.verify(signature, message)
    elif alg in curves:
        name, digest = curves[alg]
        assert key.curve.name == name
        half = len(signature) // 2
        assert half == (key.curve.key_size + 7) // 8
        r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
        key.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(digest))
    elif alg in pss:
        assert isinstance(key, rsa.RSAPublicKey)
        digest = pss[alg]
        key.verify(signature, message, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
    else:
        assert isinstance(key, dsa[alg])
        key.verify(signature, message)


def sign1(message, label, anchor):
    """The payload and the certificate of a message whose signature holds."""
    tagged = read(message)
    assert tagged.tag == 18
    protected, unprotected, payload, signature = tagged.value
    headers = read(protected)
    assert list(headers) == [1, 33] and unprotected == {}
    chain = headers[33]
    chain = [chain] if isinstance(chain, bytes) else chain
    own = x509.load_der_x509_certificate(chain[0])
    above = [x509.load_der_x509_certificate(der) for der in chain[1:]] + [x509.load_der_x509_certificate(anchor)]
    for lower, upper in zip([own] + above, above):
        lower.verify_directly_issued_by(upper)
    structure = cbor(["Signature1", protected, label, payload])
    verify(own.public_key(), headers[1], signature, structure)
    return read(payload), chain[0]


def check(case):
    case = {name: bytes.fromhex(value) if isinstance(value, str) and name not in ("name", "server") else value for name, value in case.items()}
    suite = case["suite"]
    first, client = sign1(case["message_1"], b"skms-exchange-v1 message 1", case["anchor"])
    assert list(first) == list(range(1, 9))
    assert first[1] == [1] and first[2] == 1
    assert first[3] == [suite + [case["ephemeral_public_key"]]]
    assert first[4] == sha512(client)
    assert first[5] == [2, case["server"]]
    assert first[7] == case["time"]
    entry = sha512(b"skms-exchange-v1 replay", first[4], first[6])[:32]
    assert entry == case["replay_entry"], "the replay entry"

    t1 = sha512(case["message_1"])
    assert t1 == case["t1"]
    second, server = sign1(case["message_2"], b"skms-exchange-v1 message 2", case["anchor"])
    assert second[1] == 1 and second[2] == 2 and second[3] == t1 and second[4] == suite
    assert second[6] == sha512(server)
    check_random(suite[0], case, first, second)
    grant = second[9]
    assert all(grant[key] == first[8][key] for key in (1, 2, 3, 4))

    shared, public = decapsulate(suite[0], case["ephemeral_private_key"], second[5])
    assert public == case["ephemeral_public_key"]
    context = Context(suite, shared, b"skms-exchange-v1 hpke" + t1)
    kc2 = context.export(b"skms-exchange-v1 confirm 2")
    kc3 = context.export(b"skms-exchange-v1 confirm 3")
    z = context.export(b"skms-exchange-v1 agree")
    assert (kc2, kc3, z) == (case["kc2"], case["kc3"], case["z"])
    body = cbor({key: value for key, value in second.items() if key <= 10})
    assert hmac.digest(kc2, body, "sha512") == second[11]

    t2 = sha512(case["message_2"])
    assert t2 == case["t2"]
    if grant[1] == 2:
        head = cbor({key: value for key, value in second.items() if key <= 9})
        assert context.open(head, second[10]) == case["key"]
        assert case["message_3"] is None
        return
    fixed_info = cbor(["skms-exchange-v1 key", first[4], second[6], first[5], grant[2], grant[3], grant[4], grant[9], grant[8], grant[5], grant[10]])
    key = expand("sha512", extract("sha512", t2, z), fixed_info, grant[10])
    assert key == case["key"], "the agreed key"
    third = read(case["message_3"])
    assert third.tag == 17
    protected, unprotected, payload, tag = third.value
    assert read(protected) == {1: 7} and unprotected == {}
    assert read(payload) == {1: 1, 2: 3, 3: t2}
    structure = cbor(["MAC0", protected, b"skms-exchange-v1 message 3", payload])
    assert hmac.digest(kc3, structure, "sha512") == tag


def main():
    cases = json.load(sys.stdin)
    for case in cases:
        try:
            check(case)
        except Exception as error:
            sys.exit(f"{case['name']}: {type(error).__name__}: {error}")
    print(len(cases))


if __name__ == "__main__":
    main()
