"""The Ed25519 key by which days of evidence are sealed: a PEM file, unencrypted, readable by its owner alone."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mm_monitor.errors import MonitorError


class SealingKey:
    """A private key; `public` is its public half in hex, 64 digits."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes_raw().hex()

    @classmethod
    def load(cls, path: Path) -> SealingKey:
        """The key in a PEM file. MonitorError if it cannot be read, or is no Ed25519 key."""
        try:
            private = serialization.load_pem_private_key(path.read_bytes(), None)
        except OSError as error:
            raise MonitorError(f"{path}: cannot be read: {error.strerror}") from None
        except (ValueError, TypeError, UnsupportedAlgorithm):
            private = None
        if not isinstance(private, Ed25519PrivateKey):
            raise MonitorError(f"{path}: an unencrypted Ed25519 private key in PEM is wanted")
        return cls(private)

    @classmethod
    def create(cls, path: Path) -> SealingKey:
        """A new key in a new file (mode 0600). MonitorError if there is such a file."""
        key = cls(Ed25519PrivateKey.generate())
        pem = key._private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        try:
            with os.fdopen(
                os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
            ) as file:
                file.write(pem)
        except OSError as error:
            raise MonitorError(f"{path}: cannot be written: {error.strerror}") from None
        return key

    def sign(self, message: bytes) -> bytes:
        """The signature in hex, 128 digits."""
        return self._private.sign(message).hex().encode()
