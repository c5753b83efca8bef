"""Signatures: who measured a bundle, and what happens to everybody who pretends."""

import base64
import json
import shutil
import subprocess

import pytest
from small import write_bundle

pytest.importorskip("cryptography")

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from roofmark.bundle import open_bundle, verify_bundle
from roofmark.errors import BundleError
from roofmark.signing import check_signatures, read_signers, sign
from roofmark.signing.keys import fingerprint, public_line


def write_key(path, *, form=PrivateFormat.OpenSSH, lock=None, key=None):
    """Write a private key and its .pub beside it, as ssh-keygen does."""
    key = key or Ed25519PrivateKey.generate()
    locked = BestAvailableEncryption(lock) if lock else NoEncryption()
    path.write_bytes(key.private_bytes(Encoding.PEM, form, locked))
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    path.with_suffix(".pub").write_text(f"{public.decode()} alice@here\n")
    return path


@pytest.fixture
def signed(tmp_path):
    """Return a signed bundle and the key that signed it."""
    bundle, key = write_bundle(tmp_path / "b"), write_key(tmp_path / "alice")
    sign(bundle, key)
    return bundle, key


def codes(err):
    return [each["code"] for each in json.loads(err)["errors"]]


def test_a_signature_leaves_the_seal_as_it_was(tmp_path):
    bundle = write_bundle(tmp_path / "b")
    before = open_bundle(bundle).digest
    made = sign(bundle, write_key(tmp_path / "k"))
    assert open_bundle(bundle).digest == before and verify_bundle(bundle) == []
    found = check_signatures(open_bundle(bundle), read_signers(str(tmp_path / "k.pub")))
    assert [(each.key, each.signer) for each in found] == [(made.key, "alice@here")]


def test_several_sign_and_nobody_twice(signed, tmp_path):
    bundle, key = signed
    sign(bundle, write_key(tmp_path / "bob", form=PrivateFormat.PKCS8))
    sign(bundle, key)
    assert len((bundle / "signatures.jsonl").read_bytes().splitlines()) == 2
    assert len(check_signatures(open_bundle(bundle))) == 2


def test_a_locked_key_asks_once(tmp_path):
    bundle = write_bundle(tmp_path / "b")
    key = write_key(tmp_path / "k", form=PrivateFormat.PKCS8, lock=b"open")
    with pytest.raises(BundleError, match="stays locked"):
        sign(bundle, key, passphrase=lambda: b"shut")
    sign(bundle, key, passphrase=lambda: b"open")


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not here")
@pytest.mark.parametrize("lock", ["", "open"])
def test_what_ssh_keygen_writes_signs(tmp_path, call, lock, monkeypatch):
    if lock:
        pytest.importorskip("bcrypt")
    words = ("ssh-keygen", "-q", "-t", "ed25519", "-N", lock, "-C", "bob", "-f", tmp_path / "k")
    subprocess.run(words, check=True)
    monkeypatch.setenv("ROOFMARK_KEY_PASSPHRASE", lock)
    bundle = write_bundle(tmp_path / "b")
    assert call("sign", bundle, "--key", tmp_path / "k")[0] == 0
    code, out, _ = call("verify", bundle, "--signer", tmp_path / "k.pub")
    assert code == 0 and "signed by bob: SHA256:" in out
    shown = subprocess.run(
        ("ssh-keygen", "-lf", tmp_path / "k.pub"), check=True, capture_output=True, text=True
    )
    assert shown.stdout.split()[1] in out


# --- everybody who pretends ----------------------------------------------------------------------
def test_nobody_signed(tmp_path, call):
    bundle, key = write_bundle(tmp_path / "b"), write_key(tmp_path / "k")
    code, _, err = call("verify", bundle, "--signer", key.with_suffix(".pub"), "--json")
    assert (code, codes(err)) == (1, ["RM441"])
    assert call("verify", bundle)[0] == 0


def test_somebody_else_signed(signed, tmp_path, call):
    other = write_key(tmp_path / "other").with_suffix(".pub")
    code, _, err = call("verify", signed[0], "--signer", other, "--json")
    assert (code, codes(err)) == (1, ["RM442"])
    code, out, _ = call("verify", signed[0])
    assert code == 0 and "nobody you named" in out


def test_a_changed_bundle_is_damage_whoever_signed_it(signed, call):
    bundle, key = signed
    (bundle / "run.json").write_bytes((bundle / "run.json").read_bytes() + b" ")
    code, out, _ = call("verify", bundle, "--signer", key.with_suffix(".pub"))
    assert code == 4 and "run.json was changed" in out


def _edit(bundle, change):
    path = bundle / "signatures.jsonl"
    envelope = json.loads(path.read_text())
    change(envelope)
    path.write_text(json.dumps(envelope) + "\n")


def _say_otherwise(envelope):
    said = base64.b64decode(envelope["payload"]).replace(b'"time":"20', b'"time":"19')
    envelope["payload"] = base64.b64encode(said).decode()


def _name_another(envelope):
    envelope["signatures"][0]["keyid"] = "SHA256:" + "A" * 43


def _flip(envelope):
    raw = bytearray(base64.b64decode(envelope["signatures"][0]["sig"]))
    raw[0] ^= 1
    envelope["signatures"][0]["sig"] = base64.b64encode(raw).decode()


@pytest.mark.parametrize(
    "change",
    [
        _say_otherwise,
        _name_another,
        _flip,
        lambda e: e.update(payload="%%%"),
        lambda e: e.update(payload=base64.b64encode(b"{}").decode()),
        lambda e: e.update(signatures=[]),
        lambda e: e.update(payloadType="text/plain"),
        lambda e: e["signatures"][0].update(sig=""),
    ],
)
def test_a_changed_signature_does_not_fit(signed, call, change):
    bundle, key = signed
    _edit(bundle, change)
    for words in ((), ("--signer", key.with_suffix(".pub"))):
        code, _, err = call("verify", bundle, *words, "--json")
        assert (code, codes(err)) == (4, ["RM443"])


def test_a_statement_signed_by_another_key_does_not_fit(signed, tmp_path, call):
    """Eve signs a statement that names Alice's key."""
    bundle, alice = signed
    eve = Ed25519PrivateKey.generate()

    def forge(envelope):
        from roofmark.signing.statement import signed_bytes

        payload = base64.b64decode(envelope["payload"])
        envelope["signatures"][0]["sig"] = base64.b64encode(
            eve.sign(signed_bytes(payload))
        ).decode()

    _edit(bundle, forge)
    code, _, err = call("verify", bundle, "--signer", alice.with_suffix(".pub"), "--json")
    assert (code, codes(err)) == (4, ["RM443"])


def test_a_time_that_is_none_does_not_fit(signed, tmp_path, call):
    """Mallory signs what she likes with her own key; it has to make sense all the same."""
    from roofmark.signing.statement import signed_bytes

    bundle, mallory = signed[0], Ed25519PrivateKey.generate()
    line = public_line(mallory.public_key().public_bytes_raw())

    def forge(envelope):
        said = json.loads(base64.b64decode(envelope["payload"]))
        said["predicate"] |= {"time": "2026-13-45T99:99:99Z", "signer": line}
        payload = json.dumps(said).encode()
        signature = base64.b64encode(mallory.sign(signed_bytes(payload))).decode()
        envelope["payload"] = base64.b64encode(payload).decode()
        envelope["signatures"][0]["sig"] = signature

    _edit(bundle, forge)
    code, _, err = call("verify", bundle, "--json")
    assert (code, codes(err)) == (4, ["RM443"])


def test_a_signature_of_another_bundle_is_told(signed, tmp_path, call):
    bundle, key = signed
    other = write_bundle(tmp_path / "c", {"fast": 3.0})
    shutil.copy(bundle / "signatures.jsonl", other)
    code, _, err = call("verify", other, "--signer", key.with_suffix(".pub"), "--json")
    assert (code, codes(err)) == (4, ["RM444"])
    with pytest.raises(BundleError, match="RM444"):
        sign(other, key)


@pytest.mark.parametrize("kind", ["folder", "link", "long"])
def test_signatures_that_are_no_file_are_refused(signed, tmp_path, call, kind):
    path = signed[0] / "signatures.jsonl"
    path.unlink()
    if kind == "link":
        path.symlink_to("/dev/zero")
    elif kind == "long":
        path.write_bytes(b"x" * 100_000)
    else:
        path.mkdir()
    code, _, err = call("verify", signed[0], "--json")
    assert (code, codes(err)) == (4, ["RM443"])


# --- keys and lists ------------------------------------------------------------------------------
KEY = b"k" * 32


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (public_line(KEY), fingerprint(KEY)),
        (f"{public_line(KEY)} bob the builder", "bob the builder"),
        (f"bob,carol {public_line(KEY)}", "bob,carol"),
        (f'bob namespaces="git,roofmark" {public_line(KEY)}', "bob"),
        (f"# of us\n\nbob {public_line(KEY)} comment", "bob"),
    ],
)
def test_who_is_named(tmp_path, line, name):
    (tmp_path / "list").write_text(line + "\n")
    found = read_signers(str(tmp_path / "list"))
    assert [(each.name, each.key) for each in found] == [(name, KEY)]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "bob",
        "bob ssh-ed25519",
        "bob ssh-ed25519 AAAA",
        "bob ssh-rsa AAAAB3NzaC1yc2EAAAADAQAB",
        f'bob namespaces="git" {public_line(KEY)}',
        f"bob cert-authority {public_line(KEY)}",
        f'bob valid-after="yesterday" {public_line(KEY)}',
        f"bob {public_line(KEY)[:-4]}",
        "\x00\xff",
    ],
)
def test_what_names_nobody(tmp_path, line):
    (tmp_path / "list").write_text(line + "\n")
    with pytest.raises(BundleError, match="RM445"):
        read_signers(str(tmp_path / "list"))


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ('valid-after="20200101"', 0),
        ('valid-after="20990101Z"', 1),
        ('valid-before="202001010000"', 1),
        ('namespaces="roofmark",valid-after="20200101",valid-before="20990101"', 0),
    ],
)
def test_a_key_is_believed_for_its_time(signed, tmp_path, call, options, code):
    bundle, key = signed
    public = key.with_suffix(".pub").read_text()
    (tmp_path / "allowed").write_text(f"alice {options} {public}")
    assert call("verify", bundle, "--signer", tmp_path / "allowed")[0] == code


def test_keys_that_cannot_sign(tmp_path, call):
    bundle = write_bundle(tmp_path / "b")
    curve = write_key(
        tmp_path / "p", form=PrivateFormat.PKCS8, key=ec.generate_private_key(ec.SECP256R1())
    )
    (tmp_path / "none").write_text("no key")
    for key in (
        curve,
        curve.with_suffix(".pub"),
        tmp_path / "none",
        tmp_path / "missing",
        tmp_path,
    ):
        code, _, err = call("sign", bundle, "--key", key, "--json")
        assert (code, codes(err)) == (2, ["RM445"]), key
    assert not (bundle / "signatures.jsonl").exists()


# --- verdicts ------------------------------------------------------------------------------------
def test_a_verdict_is_cited_and_checked(tmp_path, call):
    bundle, key = write_bundle(tmp_path / "b"), write_key(tmp_path / "k")
    verdict = tmp_path / "v.json"
    verdict.write_text(call("judge", bundle, "--json")[1])
    assert call("sign", bundle, "--key", key, "--verdict", verdict)[0] == 0
    words = ("verify", bundle, "--signer", key.with_suffix(".pub"), "--verdict", verdict)
    code, out, _ = call(*words)
    assert code == 0 and "citing a verdict" in out and "follows" in out

    said = verdict.read_text()
    assert '"decision": "faster"' in said
    verdict.write_text(said.replace('"decision": "faster"', '"decision": "same"'))
    code, _, err = call(*words, "--json")
    assert (code, codes(err)) == (1, ["RM446"])

    other = write_bundle(tmp_path / "c", {"fast": 3.0})
    verdict.write_text(call("judge", other, "--json")[1])
    code, _, err = call(*words, "--json")
    assert (code, codes(err)) == (1, ["RM447"])
