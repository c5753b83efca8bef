"""Who measured a bundle: its signatures checked, one by one, against whom the reader believes.

In: a bundle, signers. Out: `Signed`, one for each signature, or a BundleError: RM443 for one that
does not fit its statement, RM444 for one about another bundle, RM441 or RM442 where nobody who was
named has signed. One bad signature is enough to refuse: somebody put it there.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from roofmark.bundle import Bundle
from roofmark.bundle_files import SIGNATURES, read_plain, reason_of
from roofmark.codes import problem
from roofmark.errors import BundleError
from roofmark.records import Missing, Record, digest
from roofmark.signing.keys import Signer, fingerprint, need_cryptography, raw_of
from roofmark.signing.statement import LONGEST_LINE, Measured, open_envelope, signed_bytes

# Chosen: more people than ever measure one bundle.
MOST_SIGNATURES = 64


class Signed(Record):
    """One signature that fits its statement, and its statement this bundle.

    key: fingerprint. signer: name that the reader's own list gives this key.
    """

    key: str
    signer: str | Missing
    said: Measured


def read_lines(bundle: Bundle) -> list[bytes]:
    """Return the envelopes beside a bundle. Raises: BundleError RM443 for what cannot be read."""
    try:
        data = read_plain(bundle.path / SIGNATURES)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unfit(f"they cannot be read: {reason_of(error)}", bundle) from error
    lines = data.splitlines()
    if len(lines) > MOST_SIGNATURES or any(len(line) > LONGEST_LINE for line in lines):
        raise _unfit("more or longer than signatures are", bundle)
    return lines


def check_signatures(bundle: Bundle, signers: Sequence[Signer] = ()) -> tuple[Signed, ...]:
    """Return every signature. signers: whom to believe; one of them must have signed.

    Raises: BundleError RM441 to RM445.
    """
    lines = read_lines(bundle)
    if lines:
        need_cryptography()
    found = tuple(_check(line, bundle, signers, n) for n, line in enumerate(lines, 1))
    if signers and not found:
        mend = "Ask whoever measured it to run: roofmark sign BUNDLE --key FILE."
        raise BundleError(problem("RM441", "nobody signed it", str(bundle.path), mend))
    if signers and all(isinstance(each.signer, Missing) for each in found):
        keys = ", ".join(dict.fromkeys(each.key for each in found))
        fact = f"it is signed by {keys}, which you did not name or no longer believe"
        mend = "If you know that key, name it: --signer FILE.pub or an allowed_signers file."
        raise BundleError(problem("RM442", fact, str(bundle.path), mend))
    return found


def _check(line: bytes, bundle: Bundle, signers: Sequence[Signer], number: int) -> Signed:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    place = f"signature {number}"
    try:
        statement, payload, named, signature = open_envelope(line, f"{SIGNATURES}:{number}")
        said = statement.predicate
        key = raw_of(said.signer)
        time = datetime.strptime(said.time, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        Ed25519PublicKey.from_public_bytes(key).verify(signature, signed_bytes(payload))
    except InvalidSignature as error:
        fact = f"{place} was not made over this statement by the key that it names"
        raise _unfit(fact, bundle) from error
    except (BundleError, ValueError) as error:
        why = error.problems[0].fact if isinstance(error, BundleError) else str(error)
        raise _unfit(f"{place} cannot be read: {why[:200]}", bundle) from error
    if named.keyid != fingerprint(key):
        raise _unfit(f"{place} names another key than its statement", bundle)
    if statement.subject[0].digest.sha256 != bundle.digest or said.study != digest(bundle.study):
        fact = f"{place} is about bundle {statement.subject[0].digest.sha256[:12]}"
        mend = "Take the signatures from where the bundle came from, or remove this one."
        raise BundleError(problem("RM444", fact, str(bundle.path), mend))
    return Signed(key=fingerprint(key), signer=_known(key, time, signers), said=said)


def _known(key: bytes, time: datetime, signers: Sequence[Signer]) -> str | Missing:
    own = [each for each in signers if each.key == key]
    for each in own:
        if each.vouches_at(time):
            return each.name
    why = f"its key was not to be believed at {time:%Y-%m-%d}" if own else "its key was not named"
    return Missing(reason=why)


def _unfit(fact: str, bundle: Bundle) -> BundleError:
    mend = f"Take {SIGNATURES} from where the bundle came from; without it nobody vouches for it."
    return BundleError(problem("RM443", fact, str(bundle.path), mend))
