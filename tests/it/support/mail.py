"""A mail server that does as it is told: aiosmtpd, with certificate, sign-in and a bad temper.

    mail.py CERTIFICATE KEY SECURITY PORT      SECURITY: tls, starttls or none

Says on standard output, in JSON lines, where it listens and what it takes. On standard input it
is told how to behave: `data CODE`, `rcpt ADDRESS CODE`, `hold` (takes a letter and never says so).
"""

import asyncio
import email
import email.policy
import json
import logging
import ssl
import sys
import warnings

from aiosmtpd.smtp import SMTP, AuthResult

# It warns of sign-in without TLS, not knowing of the TLS around it.
warnings.simplefilter("ignore")
logging.getLogger("mail.log").setLevel(logging.ERROR)

certificate, key, security, port = sys.argv[1:]
data, refused, hold = 250, {}, False


def say(**what):
    print(json.dumps(what), flush=True)


def sign_in(server, session, envelope, mechanism, given):
    good = (given.login, given.password) == (b"sluice", b"canary-password")
    return AuthResult(success=good, handled=False, auth_data=given.login.decode())


class Office:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in refused:
            return f"{refused[address]} <{address}> is not to be had"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
        taken = 200 <= data < 300
        say(
            taken=taken,
            to=envelope.rcpt_tos,
            sender=envelope.mail_from,
            id=letter["Message-ID"],
            date=letter["Date"],
            automatic=letter["Auto-Submitted"],
            subject=letter["Subject"],
            text=letter.get_content(),
            encrypted=session.ssl is not None or security == "tls",
            signed_in=session.auth_data,
        )
        if hold:
            await asyncio.sleep(3600)
        return f"{data} {'OK' if taken else 'not for ' + envelope.rcpt_tos[0]}"


def serve():
    asked = security != "none"
    return SMTP(
        Office(),
        hostname="localhost",
        tls_context=context if security == "starttls" else None,
        require_starttls=security == "starttls",
        auth_required=asked,
        # aiosmtpd knows only of the TLS that it began itself.
        auth_require_tls=security == "starttls",
        authenticator=sign_in,
    )


async def listen():
    global data, hold
    loop = asyncio.get_running_loop()
    wrapped = context if security == "tls" else None
    server = await loop.create_server(serve, "127.0.0.1", int(port), ssl=wrapped)
    say(port=server.sockets[0].getsockname()[1])
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        match line.split():
            case ["data", code]:
                data, hold = int(code), False
            case ["rcpt", address, code]:
                refused.pop(address, None)
                if code != "250":
                    refused[address] = int(code)
            case ["hold"]:
                hold = True
        say(told=line.strip())


context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(certificate, key)
asyncio.run(listen())
