"""The contract between agent, executor and operator: what is written is what is read, and nothing else is read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from perpfut_lib.artifacts import Leg, PairReport, Reason, Signal, decode, encode, read_document, write_document
from perpfut_lib.artifacts.contract_schema import schema_folder, schemas
from perpfut_lib.errors import ArtifactError, MissingInputError
from tests.agent.documents import EVERY_KIND, NOW, active_pair, active_pairs, control, perf_snapshot, signal

KEY = b"shared secret"


@pytest.mark.parametrize("build", EVERY_KIND)
@pytest.mark.parametrize("key", [None, KEY])
def test_round_trip(build, key, tmp_path):
    """Every kind comes back as it was written, and equal documents give equal bytes."""
    path = tmp_path / "document.json"
    write_document(path, build(), key)
    read = read_document(path, type(build()), key)
    assert read.model_copy(update={"seal": None}) == build()
    assert encode(build(), key) == path.read_bytes() == encode(read, key)


@pytest.mark.parametrize("build", EVERY_KIND)
def test_every_truncation_is_refused(build):
    """No prefix of a document is a document."""
    content = encode(build())
    for length in range(len(content.rstrip())):
        with pytest.raises(ArtifactError):
            decode(content[:length], type(build()))


@pytest.mark.parametrize("key", [None, KEY])
def test_every_flipped_bit_is_refused(key):
    """A signal with any one bit flipped is refused, or says the same (a flip may only change white space)."""
    content = encode(signal(), key)
    for position in range(len(content)):
        for bit in range(8):
            flipped = bytearray(content)
            flipped[position] ^= 1 << bit
            try:
                read = decode(bytes(flipped), Signal, key)
            except ArtifactError:
                continue
            assert read == decode(content, Signal, key)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"kill": false', '"kill": true, "kill": false'),
        ('"kill": false', '"kill": 0'),
        ('"kill": false', '"kill": "false"'),
        ('"kill": false', '"kill": null'),
        ('"kill": false', '"killed": false'),
        ('"kill": false', '"kill": false, "extra": 1'),
        ('"weight": 0.1', '"weight": NaN'),
        ('"weight": 0.1', '"weight": Infinity'),
        ('"weight": 0.1', '"weight": 1e999'),
        ('"weight": 0.1', '"weight": "0.1"'),
        ('"seq": 7', '"seq": 7.0'),
        ('"seq": 7', '"seq": -1'),
        ('"seq": 7', '"seq": "7"'),
        ('"schema_version": 1', '"schema_version": 2'),
        ('"kind": "signal"', '"kind": "control"'),
    ],
)
def test_sealed_nonsense_is_refused(old, new):
    """Even a writer that seals its mistakes is not believed: strict types, no unknown keys, NaN or duplicates."""
    text = encode(signal()).decode()
    assert text.count(old) == 1
    with pytest.raises(ArtifactError):
        decode(text.replace(old, new).encode(), Signal)


def test_deep_nesting_and_size_are_bounded():
    """A file made to exhaust the parser is refused like any other."""
    for content in (b"[" * 100_000, b" " * (17 * 2**20), b"\xff\xfe", b""):
        with pytest.raises(ArtifactError):
            decode(content, Signal)


def test_seal_needs_the_key():
    """With a key, a document sealed without it or with another one is refused; without a key the seal must be there."""
    for content in (encode(signal()), encode(signal(), b"another")):
        with pytest.raises(ArtifactError, match="seal"):
            decode(content, Signal, KEY)
    unsealed = json.dumps(signal().model_dump(mode="json")).encode()
    with pytest.raises(ArtifactError, match="seal"):
        decode(unsealed, Signal)


def test_control_may_be_edited_by_hand_without_key():
    """An operator may write ``control.json`` without a seal, unless a key is in use."""
    unsealed = json.dumps(control(pause=True).model_dump(mode="json")).encode()
    assert decode(unsealed, type(control())).pause
    with pytest.raises(ArtifactError):
        decode(unsealed, type(control()), KEY)


def test_unreadable_files_are_named_errors(tmp_path):
    """A missing file and a folder in its place are two named errors, never a bare ``OSError``."""
    with pytest.raises(MissingInputError):
        read_document(tmp_path / "signal.json", Signal)
    with pytest.raises(ArtifactError):
        read_document(tmp_path, Signal)


def test_contradictions_cannot_be_built():
    """A kill signal with a position, a flat pair with a weight, a leg of no pair, a window that ends first: refused."""
    flat = (PairReport(pair="AAA~BBB", action=None, status="flat", reasons=(Reason.PAUSED,)),)
    contradictions = [
        lambda: signal(kill=True),
        lambda: signal(pairs=flat),
        lambda: signal(pairs=()),
        lambda: signal(expires_at=NOW),
        lambda: signal(legs=(Leg(pair="AAA~BBB", symbol="AAA", weight=0.1, price=1.0),) * 2),
        lambda: active_pair(x="AAA"),
        lambda: active_pairs(valid_until=NOW),
        lambda: active_pairs(pairs=(active_pair(), active_pair())),
        lambda: active_pairs(slots=1, pairs=(active_pair(), active_pair(y="CCC"))),
        lambda: perf_snapshot(positions=perf_snapshot().positions * 2),
    ]
    for build in contradictions:
        with pytest.raises(ValidationError):
            build()


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 2**53 - 1))
def test_numbers_survive_to_the_last_bit(weight, seq):
    """Floats and sequence numbers come back bit for bit."""
    legs = (Leg(pair="AAA~BBB", symbol="AAA", weight=weight, price=1.0),)
    read = decode(encode(signal(seq=seq, legs=legs)), Signal)
    assert read.seq == seq
    assert read.legs[0].weight.hex() == weight.hex()


def test_exported_schemas_are_up_to_date():
    """``artifacts/schema`` holds the schemas of these models: `perpfut agent schemas` writes them."""
    exported = {path.stem: json.loads(path.read_text()) for path in schema_folder().glob("*.json")}
    assert exported == schemas()
