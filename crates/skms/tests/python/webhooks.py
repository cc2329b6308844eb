"""Verifies webhooks as their receivers would: `v1` with the Standard Webhooks
library, `v1a` with Ed25519 of the package cryptography. Reads messages from
standard input as JSON and prints for each which signatures hold."""

import base64
import json
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError


def by_secret(secret, body, headers):
    try:
        Webhook(secret).verify(body, headers)
        return True
    except WebhookVerificationError:
        return False


def by_key(public_key, body, headers):
    assert public_key.startswith("whpk_")
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key[5:]))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}".encode()
    for one in headers["webhook-signature"].split(" "):
        version, signature = one.split(",")
        if version != "v1a":
            continue
        try:
            key.verify(base64.b64decode(signature), signed)
            return True
        except InvalidSignature:
            pass
    return False


def main():
    answers = []
    for one in json.load(sys.stdin):
        answers.append(
            {
                "secrets": [by_secret(secret, one["body"], one["headers"]) for secret in one["secrets"]],
                "key": by_key(one["public_key"], one["body"], one["headers"]),
            }
        )
    print(json.dumps(answers))


main()
