"""A mail server (aiosmtpd) that takes mail over TLS from who logs in, and
prints each message as a line of JSON.

smtpd.py MODE CERTIFICATE KEY: MODE is implicit, starttls or plain. Prints its
port first. A mailbox at refused.example is not taken."""

import asyncio
import email
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.endswith("@refused.example"):
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content)
        print(
            json.dumps(
                {
                    "from": envelope.mail_from,
                    "to": envelope.rcpt_tos,
                    "headers": [[name, value] for name, value in message.items()],
                    "text": message.get_payload(decode=True).decode(),
                    "tls": session.ssl is not None,
                    "user": session.auth_data,
                }
            ),
            flush=True,
        )
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    right = data.login == b"skms" and data.password == b"hunter2 of the tests"
    return AuthResult(success=right, handled=False, auth_data=data.login.decode())


def main():
    mode, certificate, key = sys.argv[1:4]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def serve():
        return SMTP(
            Handler(),
            hostname="mail.test",
            authenticator=authenticate,
            auth_required=mode != "plain",
            auth_require_tls=mode == "starttls",
            require_starttls=mode == "starttls",
            tls_context=context if mode == "starttls" else None,
        )

    async def run():
        loop = asyncio.get_running_loop()
        secure = context if mode == "implicit" else None
        server = await loop.create_server(serve, "127.0.0.1", 0, ssl=secure)
        print(server.sockets[0].getsockname()[1], flush=True)
        await loop.run_in_executor(None, sys.stdin.read)

    asyncio.run(run())


main()
