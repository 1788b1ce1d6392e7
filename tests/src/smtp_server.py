"""A mail server for one test: prints each mail as a line of JSON.

usage: smtp_server.py HOST PORT none|starttls|tls FOLDER [USER PASSWORD] [--busy N] [--refuse ADDRESS]
"""
import argparse
import asyncio
import email
import email.policy
import json
import ssl

from aiosmtpd.smtp import SMTP, AuthResult

parser = argparse.ArgumentParser()
parser.add_argument("host")
parser.add_argument("port", type=int)
parser.add_argument("security", choices=["none", "starttls", "tls"])
parser.add_argument("folder")
parser.add_argument("login", nargs="*")
parser.add_argument("--busy", type=int, default=0)
parser.add_argument("--refuse", default="")
arguments = parser.parse_args()


def say(**what):
    print(json.dumps(what), flush=True)


class Handler:
    busy = arguments.busy

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address == arguments.refuse:
            say(refused=address)
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if Handler.busy > 0:
            Handler.busy -= 1
            say(busy=Handler.busy)
            return "451 come back later"
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        body = lambda kind: (part := mail.get_body((kind,))) and part.get_content()
        say(
            sender=envelope.mail_from,
            to=envelope.rcpt_tos,
            secure=session.ssl is not None or arguments.security == "tls",
            user=session.auth_data.decode() if session.auth_data else None,
            headers={name: str(value) for name, value in mail.items()},
            plain=body("plain"),
            html=body("html"),
        )
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    given = [data.login.decode(), data.password.decode()]
    return AuthResult(success=given == arguments.login, auth_data=data.login)


async def main():
    context = None
    if arguments.security != "none":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{arguments.folder}/cert.pem", f"{arguments.folder}/key.pem")

    def session():
        options = {}
        if arguments.login:
            options = {"auth_required": True, "authenticator": authenticate}
            if arguments.security == "tls":
                # The whole conversation is encrypted, which aiosmtpd does not know of.
                options["auth_require_tls"] = False
        if arguments.security == "starttls":
            options |= {"tls_context": context, "require_starttls": True}
        return SMTP(Handler(), hostname="mail.test", loop=asyncio.get_running_loop(), **options)

    wrapper = context if arguments.security == "tls" else None
    server = await asyncio.get_running_loop().create_server(session, arguments.host, arguments.port, ssl=wrapper)
    say(listening=True)
    await server.serve_forever()


asyncio.run(main())
