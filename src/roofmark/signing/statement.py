"""The statement that is signed, and the envelope in which it travels.

In: a bundle, a key's public half. Out: one line of `signatures.jsonl`: a DSSE envelope around an
in-toto statement, two small public formats, so that other tools can check it too. What is signed
are the payload's very bytes with their type and lengths before them: nothing is encoded again in
order to be checked.
Source: https://github.com/secure-systems-lab/dsse/blob/master/protocol.md,
https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
"""

import base64
import binascii
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from roofmark.records import Missing, Record, decode, encode

PAYLOAD_TYPE = "application/vnd.in-toto+json"
# Chosen: a statement has 700 bytes; with the envelope around it 1,300.
LONGEST_LINE = 16_384

Sha256 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Date = Annotated[str, Meta(pattern=r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")]


class Digests(Record):
    """The digest of a subject."""

    sha256: Sha256


class Subject(Record):
    """What the statement is about: the manifest, and through it every byte of the bundle."""

    name: Literal["manifest.json"]
    digest: Digests


class Measured(Record):
    """What a signer says: this was measured here.

    study: digest of the study's record. verdict: digest of the verdict that the signer read.
    time: UTC, as the signer's clock had it. signer: public key as OpenSSH writes it.
    """

    study: Sha256
    verdict: Sha256 | Missing
    time: Date
    signer: str
    roofmark: str


class Statement(Record):
    """An in-toto statement."""

    type_: Literal["https://in-toto.io/Statement/v1"] = msgspec.field(name="_type")
    subject: tuple[Subject]
    predicate_type: Literal["urn:roofmark:measured:1"] = msgspec.field(name="predicateType")
    predicate: Measured


class Signature(Record):
    """A signature over the payload; keyid: fingerprint of the key, as `ssh-keygen -l` shows it."""

    keyid: str
    sig: str


class Envelope(Record, rename="camel"):
    """A DSSE envelope."""

    payload_type: Literal["application/vnd.in-toto+json"]
    payload: str
    signatures: tuple[Signature]


def make_statement(manifest: str, said: Measured) -> bytes:
    """Return a statement about the manifest of that digest, as it is signed."""
    statement = Statement(
        type_="https://in-toto.io/Statement/v1",
        subject=(Subject(name="manifest.json", digest=Digests(sha256=manifest)),),
        predicate_type="urn:roofmark:measured:1",
        predicate=said,
    )
    return encode(statement)


def signed_bytes(payload: bytes) -> bytes:
    """Return what the signature is over: DSSE's pre-authentication encoding."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def seal_statement(payload: bytes, keyid: str, signature: bytes) -> bytes:
    """Return the envelope as one line."""
    envelope = Envelope(
        payload_type=PAYLOAD_TYPE,
        payload=base64.b64encode(payload).decode(),
        signatures=(Signature(keyid=keyid, sig=base64.b64encode(signature).decode()),),
    )
    return encode(envelope) + b"\n"


def open_envelope(line: bytes, where: str) -> tuple[Statement, bytes, Signature, bytes]:
    """Return statement, payload, signature and its bytes; nothing of it is believed yet.

    Raises: BundleError RM402 for what is no envelope or no statement, ValueError for its base64.
    """
    envelope = decode(line, Envelope, where=where)
    payload = _decoded(envelope.payload)
    found = envelope.signatures[0]
    return decode(payload, Statement, where=where), payload, found, _decoded(found.sig)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"no base64: {error}") from error
