"""Content credentials of recordings: a C2PA manifest in the file that says it was made by an AI, of what, and who signed.

Specification: C2PA 2.2, sections 9.2.1 (digital source type), 14.5 (certificates). Without a certificate of the user's
own the manifest is signed with one that this installation issued to itself: it proves that nothing was changed since,
and not who made it.
"""

from __future__ import annotations

import datetime as dt
import json
import secrets
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import c2pa
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from engine.errors import ConfigError, OutputError
from engine.trust.keys import maker_key, private_pem

SOURCE_TYPE: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
MP4: Final = "video/mp4"  # whatever a recording is called
INGREDIENTS: Final = "mimicam.ingredients"
VALID: Final = dt.timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class Ingredient:
    """What a recording was made of."""

    role: str  # puppet, driver
    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """Who signs."""

    chain_pem: bytes  # the signer's certificate first
    key_pem: bytes

    @classmethod
    def read(cls, chain: Path, key: Path) -> Certificate:
        """The user's own, checked. ConfigError where it can't sign."""
        try:
            found = cls(chain.read_bytes(), key.read_bytes())
            found.require_fit(dt.datetime.now(dt.UTC))
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ConfigError(
                wanted=f"a certificate in {chain} with its key in {key}",
                found=str(error),
                advice="Both are PEM files, the key not encrypted: Ed25519, ECDSA on P-256 or P-384, or RSA.",
            ) from error
        return found

    def require_fit(self, now: dt.datetime) -> None:
        """ValueError where the key is not the certificate's, or its time is over."""
        signer, key = x509.load_pem_x509_certificates(self.chain_pem)[0], self._key()
        self.algorithm()
        form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        if signer.public_key().public_bytes(*form) != key.public_key().public_bytes(*form):
            raise ValueError("the key is another one's")
        if not signer.not_valid_before_utc <= now <= signer.not_valid_after_utc:
            raise ValueError(f"it is valid from {signer.not_valid_before_utc} to {signer.not_valid_after_utc}")

    def _key(self) -> Any:
        return serialization.load_pem_private_key(self.key_pem, None)

    def algorithm(self) -> bytes:
        """C2PA's name of what the key signs with. ValueError for another key."""
        key = self._key()
        if isinstance(key, Ed25519PrivateKey):
            return b"ed25519"
        if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in ("secp256r1", "secp384r1"):
            return b"es256" if key.curve.name == "secp256r1" else b"es384"
        if isinstance(key, rsa.RSAPrivateKey):
            return b"ps256"
        raise ValueError(f"a {type(key).__name__}")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is to be said of the recordings of a run."""

    certificate: Certificate
    ingredients: tuple[Ingredient, ...]

    def sign(self, recording: Path) -> None:
        """Put the manifest into the file. OutputError when that fails: the recording stays as it was."""
        signed = recording.with_name(f"{recording.name}.{secrets.token_hex(4)}.part")
        try:
            info = c2pa.C2paSignerInfo(
                self.certificate.algorithm(), self.certificate.chain_pem, self.certificate.key_pem, None
            )
            with (
                c2pa.Signer.from_info(info) as signer,
                c2pa.Builder(self._manifest(recording.name)) as builder,
                recording.open("rb") as source,
                signed.open("w+b") as target,
            ):
                builder.sign(signer, MP4, source, target)
            signed.replace(recording)
        except (c2pa.C2paError, OSError) as error:
            raise OutputError(
                wanted=f"content credentials in {recording}",
                found=" ".join(str(error).split()),
                advice="The recording itself is whole and playable. Check the certificate, and that there is room for a copy.",
            ) from error
        finally:
            signed.unlink(missing_ok=True)

    def _manifest(self, title: str) -> dict[str, Any]:
        made = {"action": "c2pa.created", "digitalSourceType": SOURCE_TYPE, "softwareAgent": {"name": "mimicam"}}
        return {
            "claim_generator_info": [{"name": "mimicam", "version": version("mimicam")}],
            "title": title,
            "assertions": [
                {"label": "c2pa.actions.v2", "data": {"actions": [made]}},
                {
                    "label": INGREDIENTS,
                    "data": {
                        "ingredients": [{"role": i.role, "name": i.name, "sha256": i.sha256} for i in self.ingredients]
                    },
                },
            ],
        }


@dataclass(frozen=True, slots=True)
class Statement:
    """The credentials of a file."""

    state: str  # of C2PA's validation: Trusted, Valid (whole, by a signer whom nobody vouches for) or Invalid
    signer: str
    generator: str
    made_by_ai: bool
    ingredients: tuple[Ingredient, ...]


def credentials_in(path: Path) -> Statement | None:
    """What a file says of itself; None where it says nothing, or can't."""
    try:
        with c2pa.Reader(path) as reader:
            store, state = json.loads(reader.json()), str(reader.get_validation_state())
    except (c2pa.C2paError, OSError, ValueError):
        return None
    try:
        return _statement(store, state)
    except (AttributeError, TypeError):  # a manifest of any shape can be signed
        return Statement("Invalid", "unknown", "unknown", False, ())


def _statement(store: dict[str, Any], state: str) -> Statement:
    """AttributeError or TypeError where a manifest is not what ours are."""
    manifest = store.get("manifests", {}).get(store.get("active_manifest"), {})
    assertions = {a.get("label"): a.get("data", {}) for a in manifest.get("assertions", [])}
    actions = assertions.get("c2pa.actions.v2", {}).get("actions", [])
    listed = assertions.get(INGREDIENTS, {}).get("ingredients", [])
    return Statement(
        state,
        str(manifest.get("signature_info", {}).get("common_name") or manifest.get("signature_info", {}).get("issuer")),
        ", ".join(str(g.get("name")) for g in manifest.get("claim_generator_info", [])),
        any("lgorithmicMedia" in str(action.get("digitalSourceType")) for action in actions),
        tuple(Ingredient(*(str(i.get(k)) for k in ("role", "name", "sha256"))) for i in listed),
    )


def own_certificate() -> Certificate:
    """One that this installation issues to itself, anew for each recording, from the key that signs its puppets."""
    root, leaf = maker_key(), Ed25519PrivateKey.generate()
    issuer, subject = _name("mimicam installation"), _name("mimicam recording, not vouched for by anybody")
    authority = _certificate(issuer, issuer, root, root, authority=True)
    signer = _certificate(subject, issuer, leaf, root, authority=False)
    chain = b"".join(c.public_bytes(serialization.Encoding.PEM) for c in (signer, authority))
    return Certificate(chain, private_pem(leaf))


def _name(common: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "mimicam"), x509.NameAttribute(NameOID.COMMON_NAME, common)]
    )


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: Ed25519PrivateKey, signing: Ed25519PrivateKey, *, authority: bool
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key())
    usage = x509.KeyUsage(not authority, False, False, False, False, authority, authority, False, False)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + VALID)
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(identifier, critical=False)
    )
    if not authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    return builder.sign(signing, None)
