"""The set of known molecules forgets nothing and is not fooled by spelling."""

from hashlib import blake2b

import numpy as np
import pytest

from molscore.errors import InputError, OutputError, ParseError
from molscore.molecules.known import Known, canonical_smiles, smiles_hash

SMILES = ["C", "CCO", "c1ccccc1", "C[C@H](N)C(=O)O", "OC/C=C/F", "C#N"]


@pytest.fixture
def known() -> Known:
    return Known.make(SMILES)


def test_members_are_known_and_others_are_not(known) -> None:
    assert all(known.contains(smiles) for smiles in SMILES)
    assert not any(known.contains(smiles) for smiles in ("CC", "CCN", "c1ccncc1", "N#N"))


def test_spelling_stereo_labels_and_hydrogens_do_not_matter(known) -> None:
    same = ["OCC", "C1=CC=CC=C1", "[H]C([H])([H])[H]", "C[C@@H](N)C(O)=O", "FC=CCO", "[CH3:2]CO", "[2H]C"]
    assert all(known.contains(smiles) for smiles in same)
    assert len(Known.make([*SMILES, *same])) == len(known) == len(SMILES)


def test_hashes_are_sorted_and_portable(known) -> None:
    assert (np.diff(known.hashes) > 0).all() and known.hashes.dtype == np.int64
    digest = blake2b(canonical_smiles("CCO").encode(), digest_size=8).digest()
    assert smiles_hash("CCO") == sum(byte << 8 * place for place, byte in enumerate(digest[:5]))
    old = np.sort([int.from_bytes(blake2b(canonical_smiles(s).encode(), digest_size=8).digest(), "little", signed=True)
                   for s in SMILES])  # fmt: skip
    for packed in (known.pack(), old):
        assert np.array_equal(Known.unpack(packed).hashes, known.hashes)
    assert known.pack().shape == (len(SMILES), 5) and known.pack().dtype == np.uint8


def test_hashes_spread_over_all_40_bits() -> None:
    hashes = np.array([smiles_hash(str(k)) for k in range(20_000)])
    assert len(np.unique(hashes)) == len(hashes)
    bits = (hashes[:, None] >> np.arange(40)) & 1
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 0.02


def test_it_is_saved_and_loaded(known, tmp_path) -> None:
    known.save(tmp_path / "known.npy")
    assert np.array_equal(Known.load(tmp_path / "known.npy").hashes, known.hashes)
    assert (tmp_path / "known.npy").stat().st_size < 256
    assert [path.name for path in tmp_path.iterdir()] == ["known.npy"]


def test_an_empty_set_knows_nothing(tmp_path) -> None:
    Known.make([]).save(tmp_path / "none.npy")
    assert not Known.load(tmp_path / "none.npy").contains("C")


def test_bad_input_is_named(known, tmp_path) -> None:
    with pytest.raises(ParseError, match="row 1: 'C1CC'"):
        Known.make(["C", "C1CC"])
    with pytest.raises(ParseError, match="empty"):
        known.contains("")
    with pytest.raises(InputError, match="5 bytes"):
        Known.unpack(np.zeros((2, 4), dtype=np.uint8))
    with pytest.raises(InputError, match="ascending"):
        Known(np.array([3, 2]))
    (tmp_path / "text.npy").write_text("nothing")
    for name in ("text.npy", "missing.npy"):
        with pytest.raises(InputError, match=name):
            Known.load(tmp_path / name)
    with pytest.raises(OutputError, match="known.npy"):
        known.save(tmp_path / "text.npy" / "known.npy")
