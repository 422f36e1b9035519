"""Clients by their addresses, as limits count them."""

import ipaddress

from starlette.requests import HTTPConnection

UNKNOWN = "an unknown address"

NETWORK_BITS = 64
"""The bits that all addresses of a client's network have in common in IPv6. It can choose any of them."""


def client_of(connection: HTTPConnection) -> str:
    """Return the client of a request: the sender, or whom a proxy that is trusted has named."""
    return client_of_address("" if connection.client is None else connection.client.host)


def client_of_address(text: str) -> str:
    """Return the client that an address belongs to. What is no address can't pass for many."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return UNKNOWN
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None or address.version == 4:
        return str(mapped or address)
    return str(ipaddress.ip_network((int(address), NETWORK_BITS), strict=False))
