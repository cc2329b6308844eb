"""A peer of `skms key agree`, written from docs/agreement.md alone.

Reads a request in JSON from standard input: our group, the server's public key
(PEM), both parties' names, the place, algorithm and length of the new key, hash
and salt (hex). Writes its own public key (PEM) to the file named, and answers
with what it makes of the key: an HMAC, or a ciphertext under AES-256-GCM.
"""

import base64
import hashlib
import hmac
import json
import os
import sys

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dh, ec, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

HASHES = {"SHA-256": hashes.SHA256, "SHA-384": hashes.SHA384, "SHA-512": hashes.SHA512}


def head(major, number):
    if number < 24:
        return bytes([major << 5 | number])
    if number < 256:
        return bytes([major << 5 | 24, number])
    return bytes([major << 5 | 25]) + number.to_bytes(2, "big")


def text(value):
    value = value.encode()
    return head(3, len(value)) + value


def data(value):
    return head(2, len(value)) + value


def raw(public):
    """A public key in the form that is bound."""
    if isinstance(public, ec.EllipticCurvePublicKey):
        return public.public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
    if isinstance(public, x25519.X25519PublicKey):
        return public.public_bytes_raw()
    numbers = public.public_numbers()
    length = (numbers.parameter_numbers.p.bit_length() + 7) // 8
    return numbers.y.to_bytes(length, "big")


def fixed_info(request, theirs, ours):
    parties = [(request["server_party"], raw(theirs)), (request["peer_party"], raw(ours))]
    parties.sort(key=lambda one: one[0].encode())
    parts = [head(4, 9), text("skms-agree-v1 key"), text(request["group"])]
    for name, public in parties:
        parts += [head(4, 2), text(name), data(public)]
    parts += [text(request[name]) for name in ("namespace", "keyring", "name", "algorithm")]
    parts.append(head(0, request["length"]))
    return b"".join(parts)


def agree(theirs):
    if isinstance(theirs, ec.EllipticCurvePublicKey):
        ours = ec.generate_private_key(theirs.curve)
        return ours, ours.exchange(ec.ECDH(), theirs)
    if isinstance(theirs, x25519.X25519PublicKey):
        ours = x25519.X25519PrivateKey.generate()
        return ours, ours.exchange(theirs)
    ours = theirs.parameters().generate_private_key()
    return ours, ours.exchange(theirs)


def main():
    request = json.load(sys.stdin)
    theirs = serialization.load_pem_public_key(request["server_key"].encode())
    ours, shared = agree(theirs)
    info = fixed_info(request, theirs, ours.public_key())
    key = HKDF(
        HASHES[request["hash"]](), request["length"], bytes.fromhex(request["salt"]) or None, info
    ).derive(shared)
    with open(request["public_out"], "wb") as out:
        out.write(
            ours.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
    message = request["message"].encode()
    nonce = os.urandom(12)
    answer = {
        "fixed_info": base64.b64encode(info).decode(),
        "mac": hmac.new(key, message, hashlib.sha256).hexdigest(),
    }
    if request["algorithm"] == "AES-256-GCM":
        sealed = nonce + AESGCM(key).encrypt(nonce, message, None)
        answer["ciphertext"] = "skms:v1:" + base64.b64encode(sealed).decode()
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
