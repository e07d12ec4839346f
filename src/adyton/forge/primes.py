"""RSA keys from a seed.

A seed and a label name a number of 2048 bits; the prime is the first one at or above it. Finding it takes about a
second, so a caller that knows how far it is (the kit, for its own seed) passes the distance. A prime is always checked.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from adyton.errors import UsageError
from adyton.forge.keys import stream

_PRIME_BITS: Final = 2048
_EXPONENT: Final = 65537
_SIEVE_CAP: Final = 1 << 14
_ROUNDS: Final = 4  # random candidates of this size pass one round by chance less than once in 2^100 (HAC, table 4.3)
Distances = tuple[int, int]


def seeded_rsa(seed: bytes, label: str, distances: Distances | None = None) -> rsa.RSAPrivateKey:
    """Return the RSA-4096 key of a seed and a label.

    Args:
        seed: The seed.
        label: Which of its keys.
        distances: How far both primes are from the numbers that the seed names; None searches.

    Raises:
        UsageError: `forge.primes` if a distance does not lead to a prime.
    """
    starts = (_start(seed, f"{label} p"), _start(seed, f"{label} q"))
    found = distances or tuple(distance_to_prime(start) for start in starts)
    p, q = (start + distance for start, distance in zip(starts, found, strict=True))
    if distances is not None and not (_is_prime(p, 1) and _is_prime(q, 1)):
        raise UsageError("forge.primes", f"expected distances to primes, found {distances}", remedy="pass none: search")
    d = pow(_EXPONENT, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(_EXPONENT, p * q)
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public)
    # The library's own check takes ten times as long as a signature, and the primes were checked above.
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


def distance_to_prime(start: int) -> int:
    """Return how far the first prime at or above an odd number is, where RSA with exponent 65537 can use it."""
    small = _small_primes()
    remainders = [(prime, start % prime) for prime in small]
    distance = 0
    while True:
        sieved = all((remainder + distance) % prime for prime, remainder in remainders)
        if sieved and (start + distance - 1) % _EXPONENT and _is_prime(start + distance, _ROUNDS):
            return distance
        distance += 2


def _start(seed: bytes, label: str) -> int:
    # The two highest bits make the product have exactly 4096 bits.
    return int.from_bytes(stream(seed, label, _PRIME_BITS // 8), "big") | 3 << (_PRIME_BITS - 2) | 1


def _small_primes() -> list[int]:
    composite = bytearray(_SIEVE_CAP)
    for number in range(2, int(_SIEVE_CAP**0.5) + 1):
        if not composite[number]:
            composite[number * number :: number] = b"\x01" * len(range(number * number, _SIEVE_CAP, number))
    return [number for number in range(3, _SIEVE_CAP) if not composite[number]]


def _is_prime(number: int, rounds: int) -> bool:
    """Return whether a number passes Miller and Rabin's test to the first prime bases."""
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    return all(_passes(number, base, odd, twos) for base in (2, 3, 5, 7)[:rounds])


def _passes(number: int, base: int, odd: int, twos: int) -> bool:
    value = pow(base, odd, number)
    if value in (1, number - 1):
        return True
    for _ in range(twos - 1):
        value = value * value % number
        if value == number - 1:
            return True
    return False
