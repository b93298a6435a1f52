"""Runs the cases of the files named *_cases.py against the members named in QUORATE_COMPAT_ENDPOINTS.

Prints one JSON object a line: {"name": …, "error": null or text}. A case is a coroutine function `case_<name>` that
takes a Cluster. With QUORATE_COMPAT_CA, _CERT and _KEY (PEM files) the members speak TLS.
"""

import asyncio
import importlib
import json
import os
import pathlib
import traceback

import aetcd
import grpc

CALL_TIMEOUT_SECONDS = 10


class Cluster:
    """Clients of all members. `client` is that of another member for each case in turn."""

    def __init__(self, clients):
        self.clients = clients
        self.client = clients[0]

    @property
    def next_client(self):
        """The member after the one that `client` speaks to."""
        at = self.clients.index(self.client)
        return self.clients[(at + 1) % len(self.clients)]


def find_cases():
    here = pathlib.Path(__file__).parent
    for path in sorted(here.glob("*_cases.py")):
        for name, value in vars(importlib.import_module(path.stem)).items():
            if name.startswith("case_"):
                yield name.removeprefix("case_"), value


def use_tls(ca, certificate, key):
    """aetcd opens its channels in plain text alone; whoever needs TLS puts their own in their place."""

    def read(path):
        return pathlib.Path(path).read_bytes()

    credentials = grpc.ssl_channel_credentials(read(ca), read(key), read(certificate))

    def open_channel(target, options=None):
        return grpc.aio.secure_channel(target, credentials, options=list(options or []))

    aetcd.client.rpc.insecure_channel = open_channel


async def main():
    if "QUORATE_COMPAT_CA" in os.environ:
        use_tls(*(os.environ[f"QUORATE_COMPAT_{name}"] for name in ("CA", "CERT", "KEY")))
    endpoints = os.environ["QUORATE_COMPAT_ENDPOINTS"].split(",")
    clients = []
    for endpoint in endpoints:
        host, port = endpoint.rsplit(":", 1)
        clients.append(aetcd.Client(host=host, port=int(port), timeout=CALL_TIMEOUT_SECONDS))
    for client in clients:
        await client.connect()
    for at, (name, run) in enumerate(find_cases()):
        cluster = Cluster(clients)
        cluster.client = clients[at % len(clients)]
        error = None
        try:
            await run(cluster)
        except Exception:
            error = traceback.format_exc()
        print(json.dumps({"name": name, "error": error}), flush=True)
    for client in clients:
        await client.close()


asyncio.run(main())
