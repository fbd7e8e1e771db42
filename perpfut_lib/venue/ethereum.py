"""Ethereum signatures as Hyperliquid uses them: Keccak-256, EIP-712 digests, the signer's address."""

from collections.abc import Mapping, Sequence
from typing import Final

import ormsgpack
from coincurve import PublicKey

from perpfut_lib.types import Json

_MASK: Final = (1 << 64) - 1
_RATE: Final = 136  # bytes absorbed per permutation of Keccak-256
_ROTATIONS: Final = (1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44)
_LANES: Final = (10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1)
EXCHANGE_DOMAIN: Final = ("Exchange", 1337)
USER_DOMAIN: Final = ("HyperliquidSignTransaction", 421614)
MAINNET: Final = "a"
Field = tuple[str, str]  # name and Solidity type


def _round_constants() -> tuple[int, ...]:
    """Return the 24 constants of Keccak-f[1600], from its linear feedback shift register."""
    constants, state = [], 1
    for _ in range(24):
        constant = 0
        for power in range(7):
            if state & 1:
                constant |= 1 << ((1 << power) - 1)
            state = (state << 1) ^ (0x171 if state & 0x80 else 0)
        constants.append(constant)
    return tuple(constants)


_CONSTANTS: Final = _round_constants()


def _rotated(lane: int, bits: int) -> int:
    return ((lane << bits) | (lane >> (64 - bits))) & _MASK


def _permute(lanes: list[int]) -> None:
    """Apply Keccak-f[1600] to 25 lanes in place."""
    for constant in _CONSTANTS:
        parity = [lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)]
        for x in range(5):
            mixed = parity[x - 1] ^ _rotated(parity[(x + 1) % 5], 1)
            for y in range(0, 25, 5):
                lanes[x + y] ^= mixed
        moved = lanes[1]
        for lane, bits in zip(_LANES, _ROTATIONS, strict=True):
            lanes[lane], moved = _rotated(moved, bits), lanes[lane]
        for y in range(0, 25, 5):
            row = lanes[y : y + 5]
            for x in range(5):
                lanes[x + y] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5] & _MASK)
        lanes[0] ^= constant


def keccak(message: bytes) -> bytes:
    """Return the Keccak-256 hash that Ethereum uses (the padding differs from SHA3-256)."""
    padded = bytearray(message + b"\x01" + bytes(-(len(message) + 1) % _RATE))
    padded[-1] |= 0x80
    lanes = [0] * 25
    for start in range(0, len(padded), _RATE):
        for k in range(_RATE // 8):
            lanes[k] ^= int.from_bytes(padded[start + 8 * k : start + 8 * k + 8], "little")
        _permute(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def _encoded(kind: str, value: Json) -> bytes:
    """Return one field as EIP-712 encodes it: 32 bytes."""
    if kind == "string":
        return keccak(str(value).encode())
    if kind == "bytes32":
        return bytes(value)
    if kind == "address":
        return int(str(value), 16).to_bytes(32, "big")
    return int(value).to_bytes(32, "big")


def struct_hash(name: str, fields: Sequence[Field], values: Mapping[str, Json]) -> bytes:
    """Return the EIP-712 hash of a flat struct."""
    signature = f"{name}({','.join(f'{kind} {field}' for field, kind in fields)})"
    return keccak(keccak(signature.encode()) + b"".join(_encoded(kind, values[field]) for field, kind in fields))


def digest(domain: tuple[str, int], struct: bytes) -> bytes:
    """Return the EIP-712 digest of a hashed struct in a domain (name, chain), version 1, contract zero."""
    fields = (("name", "string"), ("version", "string"), ("chainId", "uint256"), ("verifyingContract", "address"))
    values = {"name": domain[0], "version": "1", "chainId": domain[1], "verifyingContract": "0x0"}
    return keccak(b"\x19\x01" + struct_hash("EIP712Domain", fields, values) + struct)


def action_digest(action: Json, nonce: int, vault: str | None = None, expires: int | None = None) -> bytes:
    """Return what is signed for an action of ``/exchange``: msgpack, nonce and vault inside a phantom agent."""
    content = ormsgpack.packb(action) + nonce.to_bytes(8, "big")
    content += b"\x00" if vault is None else b"\x01" + bytes.fromhex(vault.removeprefix("0x"))
    if expires is not None:
        content += b"\x00" + expires.to_bytes(8, "big")
    agent = {"source": MAINNET, "connectionId": keccak(content)}
    return digest(EXCHANGE_DOMAIN, struct_hash("Agent", (("source", "string"), ("connectionId", "bytes32")), agent))


def user_digest(name: str, fields: Sequence[Field], action: Mapping[str, Json]) -> bytes:
    """Return what is signed for an action that a user signs field by field, such as approving a builder's fee."""
    return digest(USER_DOMAIN, struct_hash(f"HyperliquidTransaction:{name}", fields, action))


def address_of(public_key: PublicKey) -> str:
    """Return the address of a public key, lower case."""
    return "0x" + keccak(public_key.format(compressed=False)[1:])[-20:].hex()


def signer(signature: Mapping[str, Json], hashed: bytes) -> str:
    """Return the address that has signed ``hashed``.

    Raises
    ------
    ValueError
        The signature is not one.
    """
    try:
        numbers = [int(str(signature[part]), 16).to_bytes(32, "big") for part in ("r", "s")]
        recovery = int(signature["v"]) - 27
        key = PublicKey.from_signature_and_message(b"".join(numbers) + bytes([recovery]), hashed, hasher=None)
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise ValueError(f"not a signature: {error}") from error
    return address_of(key)
