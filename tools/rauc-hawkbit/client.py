"""RAUC's hawkBit client as it is, without a D-Bus: in the place of the RAUC service stands `rauc info`, which checks the
signature of the bundle that the client has fetched. Polls until one installation has ended; exits 0 if it was good."""

import argparse
import asyncio
import json
import ssl
import subprocess
import sys
import types

parser = argparse.ArgumentParser()
for name in ("host", "tenant", "controller", "token", "ca", "keyring", "bundle"):
    parser.add_argument("--" + name, required=True)
options = parser.parse_args()

gi = types.ModuleType("gi")
repository = types.ModuleType("gi.repository")
repository.GLib = types.SimpleNamespace(Error=type("Error", (Exception,), {}))
repository.Gio = types.SimpleNamespace()
sys.modules["gi"] = gi
sys.modules["gi.repository"] = repository
dbus_client = types.ModuleType("rauc_hawkbit.dbus_client")


class AsyncDBUSClient:
    """The part of the original that its user needs."""

    def new_proxy(self, _interface, _path):
        return Service(self)

    def new_property_subscription(self, *_arguments):
        pass

    def new_signal_subscription(self, *_arguments):
        pass


class Service:
    def __init__(self, client):
        self.client = client

    def Install(self, _signature, path):
        asyncio.get_event_loop().create_task(self.check(path))

    async def check(self, path):
        signal = (None, None, None, None, None)
        await self.client.progress_callback(*signal, (20, "Checking bundle", 1))
        with open(path, "rb") as file, open(path + ".seen", "wb") as copy:
            copy.write(file.read())
        checked = subprocess.run(
            ["rauc", "info", "--keyring", options.keyring, path], capture_output=True, text=True
        )
        if checked.returncode != 0:
            await self.client.last_error_callback(*signal, checked.stderr.strip()[-400:])
        await self.client.progress_callback(*signal, (100, "Installing done.", 0))
        await self.client.complete_callback(*signal, (checked.returncode,))


dbus_client.AsyncDBUSClient = AsyncDBUSClient
sys.modules["rauc_hawkbit.dbus_client"] = dbus_client

import aiohttp  # noqa: E402
from rauc_hawkbit.rauc_dbus_ddi_client import RaucDBUSDDIClient  # noqa: E402


async def main():
    ended = asyncio.get_running_loop().create_future()
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=options.ca))
    async with aiohttp.ClientSession(connector=connector) as session:
        client = RaucDBUSDDIClient(
            session,
            options.host,
            True,
            options.tenant,
            options.controller,
            options.token,
            {"MAC": "00:11:22:33:44:55"},
            options.bundle,
            lambda result: ended.done() or ended.set_result(result),
        )
        polling = asyncio.create_task(client.start_polling(wait_on_error=1))
        result = await asyncio.wait_for(ended, 60)
        polling.cancel()
    print(json.dumps({"result": result}))
    return 0 if result == 0 else 1


sys.exit(asyncio.run(main()))
