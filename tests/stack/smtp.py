"""A mail server that keeps each mail in a file: smtp.py PORT FOLDER [CERTIFICATE KEY PASSWORD [starttls]].

It refuses who is called refused@, for ever, and takes mail for later@ only when it is asked again.
"""

import asyncio
import pathlib
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

port, folder = int(sys.argv[1]), pathlib.Path(sys.argv[2])
secured = sys.argv[3:]


class Keeper:
    def __init__(self):
        self.kept = 0
        self.asked = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        name = address.split("@")[0]
        if name == "refused":
            return "550 5.1.1 no such user here"
        if name == "later" and name not in self.asked:
            self.asked.add(name)
            return "451 4.7.1 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.kept += 1
        new = folder / f"{self.kept}.new"
        head = f"X-For: {','.join(envelope.rcpt_tos)}\r\n".encode()
        new.write_bytes(head + envelope.content)
        # whoever looks sees whole mails only
        new.rename(folder / f"{self.kept}.eml")
        return "250 kept"


def is_known(server, session, envelope, mechanism, given):
    is_right = given.login == b"omphalos" and given.password == secured[2].encode()
    return AuthResult(success=is_right)


async def main():
    keeper, context, options = Keeper(), None, {}
    if secured:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(secured[0], secured[1])
        options = {"auth_required": True, "auth_require_tls": False, "authenticator": is_known}
    if secured[3:]:
        options |= {"tls_context": context, "require_starttls": True}
        context = None
    loop = asyncio.get_running_loop()
    new = lambda: SMTP(keeper, hostname="mail.example", loop=loop, **options)
    server = await loop.create_server(new, "127.0.0.1", port, ssl=context)
    print("listening", flush=True)
    await server.serve_forever()


asyncio.run(main())
