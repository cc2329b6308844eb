"""The other side of crosscheck_python.rs: pyca/cryptography.

Reads a JSON list of requests on standard input and writes the list of
answers. Bytes are hex. An answer is {"error": ...} where the library
refuses, so that refusals can be checked as well.
"""

import base64
import json
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import cmac, hashes, hmac, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import (
    dh,
    ec,
    ed25519,
    mldsa,
    mlkem,
    padding,
    rsa,
    utils,
    x25519,
)
from cryptography.hazmat.primitives.ciphers import aead, algorithms
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

HASHES = {
    "SHA-256": hashes.SHA256,
    "SHA-384": hashes.SHA384,
    "SHA-512": hashes.SHA512,
}
CURVES = {
    "EC-P256": ec.SECP256R1,
    "EC-P384": ec.SECP384R1,
    "EC-P521": ec.SECP521R1,
    "EC-secp256k1": ec.SECP256K1,
    "P-256": ec.SECP256R1,
    "P-384": ec.SECP384R1,
    "P-521": ec.SECP521R1,
    "secp256k1": ec.SECP256K1,
}
GENERATORS = {
    "RSA-2048": lambda: rsa.generate_private_key(65537, 2048),
    "RSA-3072": lambda: rsa.generate_private_key(65537, 3072),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "X25519": x25519.X25519PrivateKey.generate,
    "ML-KEM-768": mlkem.MLKEM768PrivateKey.generate,
    "ML-KEM-1024": mlkem.MLKEM1024PrivateKey.generate,
    "ML-DSA-44": mldsa.MLDSA44PrivateKey.generate,
    "ML-DSA-65": mldsa.MLDSA65PrivateKey.generate,
    "ML-DSA-87": mldsa.MLDSA87PrivateKey.generate,
}
AEADS = {
    "AES-128-GCM": aead.AESGCM,
    "AES-192-GCM": aead.AESGCM,
    "AES-256-GCM": aead.AESGCM,
    "AES-256-GCM-SIV": aead.AESGCMSIV,
    "ChaCha20-Poly1305": aead.ChaCha20Poly1305,
}


def field(request, name):
    return bytes.fromhex(request[name])


def spki(key):
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    ).hex()


def pkcs8(key, passphrase=None):
    protection = serialization.NoEncryption()
    if passphrase is not None:
        protection = serialization.BestAvailableEncryption(passphrase.encode())
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, protection
    ).hex()


def private(request):
    passphrase = request.get("passphrase")
    return serialization.load_der_private_key(
        field(request, "key"), passphrase.encode() if passphrase else None
    )


def public(request, name="key"):
    return serialization.load_der_public_key(field(request, name))


def generate(request):
    name = request["algorithm"]
    if name in CURVES:
        key = ec.generate_private_key(CURVES[name]())
    elif name.startswith("ffdhe"):
        parameters = dh.DHParameterNumbers(int(request["prime"], 16), 2).parameters()
        key = parameters.generate_private_key()
    else:
        key = GENERATORS[name]()
    return {
        "key": pkcs8(key, request.get("passphrase")),
        "spki": spki(key.public_key()),
    }


def from_jwk(request):
    jwk = json.loads(request["jwk"])

    def data(name):
        text = jwk[name]
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

    def number(name):
        return int.from_bytes(data(name), "big")

    if jwk["kty"] == "RSA":
        key = rsa.RSAPublicNumbers(number("e"), number("n")).public_key()
    elif jwk["kty"] == "EC":
        curve = CURVES[jwk["crv"]]()
        key = ec.EllipticCurvePublicNumbers(number("x"), number("y"), curve).public_key()
    elif jwk["crv"] == "Ed25519":
        key = ed25519.Ed25519PublicKey.from_public_bytes(data("x"))
    else:
        key = x25519.X25519PublicKey.from_public_bytes(data("x"))
    return {"spki": spki(key)}


def rsa_padding(request, hash_):
    if request["scheme"] == "RSA-PKCS1v15":
        return padding.PKCS1v15()
    return padding.PSS(padding.MGF1(hash_), padding.PSS.DIGEST_LENGTH)


def signature_arguments(request, key):
    """What sign() takes after the message, and verify() after both."""
    if isinstance(key, (ed25519.Ed25519PrivateKey, ed25519.Ed25519PublicKey)):
        return []
    if request["scheme"] == "ML-DSA":
        return [field(request, "context")]
    hash_ = HASHES[request["hash"]]()
    used = utils.Prehashed(hash_) if request.get("prehashed") else hash_
    if request["scheme"] == "ECDSA":
        return [ec.ECDSA(used)]
    return [rsa_padding(request, hash_), used]


def sign(request):
    key = private(request)
    arguments = signature_arguments(request, key)
    return {"signature": key.sign(field(request, "message"), *arguments).hex()}


def verify(request):
    key = public(request)
    arguments = signature_arguments(request, key)
    try:
        key.verify(field(request, "signature"), field(request, "message"), *arguments)
    except InvalidSignature:
        return {"valid": False}
    return {"valid": True}


def oaep(request):
    hash_ = HASHES[request["hash"]]()
    return padding.OAEP(padding.MGF1(hash_), hash_, field(request, "label") or None)


def oaep_encrypt(request):
    return {"data": public(request).encrypt(field(request, "data"), oaep(request)).hex()}


def oaep_decrypt(request):
    return {"data": private(request).decrypt(field(request, "data"), oaep(request)).hex()}


def seal(request):
    cipher = AEADS[request["algorithm"]](field(request, "key"))
    arguments = [field(request, name) for name in ("nonce", "data", "aad")]
    return {"data": cipher.encrypt(*arguments).hex()}


def open_(request):
    cipher = AEADS[request["algorithm"]](field(request, "key"))
    arguments = [field(request, name) for name in ("nonce", "data", "aad")]
    return {"data": cipher.decrypt(*arguments).hex()}


def wrap(request):
    function = (
        keywrap.aes_key_wrap_with_padding
        if request["algorithm"].endswith("KWP")
        else keywrap.aes_key_wrap
    )
    return {"data": function(field(request, "key"), field(request, "data")).hex()}


def unwrap(request):
    function = (
        keywrap.aes_key_unwrap_with_padding
        if request["algorithm"].endswith("KWP")
        else keywrap.aes_key_unwrap
    )
    return {"data": function(field(request, "key"), field(request, "data")).hex()}


def mac(request):
    key = field(request, "key")
    if request["algorithm"].endswith("CMAC"):
        context = cmac.CMAC(algorithms.AES(key))
    else:
        context = hmac.HMAC(key, HASHES[request["algorithm"][len("HMAC-"):]]())
    context.update(field(request, "data"))
    return {"data": context.finalize().hex()}


def derive(request):
    hash_ = HASHES[request["algorithm"][len("HKDF-"):]]()
    kdf = HKDF(hash_, request["length"], field(request, "salt"), field(request, "info"))
    return {"data": kdf.derive(field(request, "key")).hex()}


def agree(request):
    key, peer = private(request), public(request, "peer")
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return {"data": key.exchange(ec.ECDH(), peer).hex()}
    return {"data": key.exchange(peer).hex()}


def encapsulate(request):
    secret, ciphertext = public(request).encapsulate()
    return {"ciphertext": ciphertext.hex(), "data": secret.hex()}


def decapsulate(request):
    return {"data": private(request).decapsulate(field(request, "ciphertext")).hex()}


def load(request):
    return {"spki": spki(private(request).public_key())}


def reload(request):
    return {"spki": spki(public(request))}


ACTS = {
    "agree": agree,
    "decapsulate": decapsulate,
    "derive": derive,
    "encapsulate": encapsulate,
    "from-jwk": from_jwk,
    "generate": generate,
    "load": load,
    "mac": mac,
    "oaep-decrypt": oaep_decrypt,
    "oaep-encrypt": oaep_encrypt,
    "open": open_,
    "reload": reload,
    "seal": seal,
    "sign": sign,
    "unwrap": unwrap,
    "verify": verify,
    "wrap": wrap,
}


def answer(request):
    try:
        return ACTS[request["act"]](request)
    except Exception as error:  # every refusal is an answer here
        return {"error": f"{type(error).__name__}: {error}"}


json.dump([answer(request) for request in json.load(sys.stdin)], sys.stdout)
