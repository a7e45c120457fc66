"""Distances between geometries and compositions vanish for equals, equal a known shift, and come with their floor."""

import numpy as np
import pandas as pd
import pytest

from molscore.datasets.molecule_set import MoleculeSet
from molscore.errors import InputError
from molscore.evaluation.bonds import as_set
from molscore.evaluation.distances import (
    UNITS,
    compare,
    composition_counts,
    composition_distances,
    geometry_distances,
    internal_coordinates,
    mean_distances,
    total_variation,
)
from molscore.molecules import Molecule
from tests.evaluation.conftest import build, hydrogen_peroxide, moved


def sample(good: dict[str, Molecule], rng: np.random.Generator, n: int, noise: float = 0.01) -> MoleculeSet:
    """Noisy copies of the good molecules."""
    molecules = list(good.values())
    chosen = [molecules[k] for k in rng.integers(0, len(molecules), n)]
    return MoleculeSet.from_molecules(
        [Molecule(m.numbers, m.positions + noise * rng.normal(size=m.positions.shape)) for m in chosen]
    )


def measure(molecule: Molecule) -> pd.DataFrame:
    return internal_coordinates(as_set([molecule])).set_index("kind")


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("methane", (4, 6, 0)),
        ("ethane", (7, 12, 9)),
        ("hydrogen cyanide", (2, 1, 0)),
        # 3 in the ring and 2·6 with one ring and one CH bond; a path that comes back to its start is no dihedral
        ("cyclopropane", (9, 18, 24)),
    ],
)
def test_every_path_counts_once(good, name, counts) -> None:
    assert tuple((measure(good[name]).index == kind).sum() for kind in UNITS) == counts


def test_ideal_molecules_have_ideal_values_and_names(good) -> None:
    methane, ethane, cyanide = (measure(good[name]) for name in ("methane", "ethane", "hydrogen cyanide"))
    assert np.allclose(methane.loc["bond", "value"], 1.09, atol=1e-6)
    assert np.allclose(methane.loc["angle", "value"], np.degrees(np.arccos(-1 / 3)), atol=1e-4)
    assert cyanide.loc["angle", "value"] == pytest.approx(180, abs=1e-4) and cyanide.loc["angle", "label"] == "H-C#N"
    assert np.allclose(np.sort(ethane.loc["dihedral", "value"]), [60] * 6 + [180] * 3, atol=1e-3)
    labels = {kind: set(ethane.loc[kind, "label"]) for kind in UNITS}
    assert labels == {"bond": {"C-C", "H-C"}, "angle": {"H-C-C", "H-C-H"}, "dihedral": {"H-C-C-H"}}


@pytest.mark.parametrize("dihedral", [0.0, 1e-3, 37.0, 90.0, 179.999, 180.0])
def test_dihedrals_are_sizes_of_turns(dihedral) -> None:
    for sign in (1, -1):
        found = measure(hydrogen_peroxide(sign * dihedral)).loc["dihedral", "value"]
        assert found == pytest.approx(dihedral, abs=1e-4)


def test_nothing_depends_on_orientation_order_or_mirror(good, rotation, rng) -> None:
    for molecule in good.values():
        again = moved(molecule, rotation, rng.normal(size=3), rng.permutation(molecule.n_atoms))
        mirror = Molecule(molecule.numbers, molecule.positions * np.array([1, 1, -1]))
        before, *others = (
            measure(each).round(3).reset_index().sort_values(["kind", "label", "value"])
            for each in (molecule, again, mirror)
        )
        for after in others:
            assert before["label"].tolist() == after["label"].tolist()
            assert np.allclose(before["value"], after["value"], atol=2e-3)


def test_equal_distributions_are_as_near_as_the_floor_and_noise_moves_every_kind_away(good, rng) -> None:
    noisy = mean_distances(geometry_distances(sample(good, rng, 600, noise=0.04), sample(good, rng, 1800)))
    draws = [mean_distances(geometry_distances(sample(good, rng, 200), sample(good, rng, 600))) for _ in range(20)]
    for kind in UNITS:
        distance, floor = np.mean([means[kind] for means in draws], axis=0)
        assert 0.6 < distance / floor < 1.6, kind
        assert noisy[kind][0] > 3 * noisy[kind][1], kind


def test_a_shift_of_all_bonds_is_the_distance(good, rng) -> None:
    def methanes(extra: float) -> MoleculeSet:
        methane = good["methane"]
        lengths = rng.uniform(1.07, 1.09, 800) + extra
        return MoleculeSet.from_molecules([Molecule(methane.numbers, methane.positions * r / 1.09) for r in lengths])

    (bond, *_) = geometry_distances(methanes(0.03), methanes(0.0))
    assert (bond.kind, bond.label, bond.unit) == ("bond", "H-C", "Å")
    assert bond.distance == pytest.approx(0.03, abs=0.003)
    assert bond.floor < 0.002
    assert (bond.n_generated, bond.n_real) == (3200, 1600)


def test_what_was_never_made_has_no_distance_and_rare_types_are_left_out(good, rng) -> None:
    real = sample(good, rng, 400)
    distances = geometry_distances(MoleculeSet.from_molecules([good["water"]] * 20), real)
    by_label = {item.label: item for item in distances if item.kind == "bond"}
    assert by_label["C-C"].distance is None and by_label["C-C"].n_generated == 0
    assert by_label["H-O"].distance is not None
    assert mean_distances(distances)["dihedral"][0] is None
    few, every = (geometry_distances(real, real, min_share=share) for share in (0.2, 0.0))
    assert 0 < len(few) < len(every)
    assert {item.label for item in every if item.kind == "bond"} >= {"C=O", "C#N", "O-O"}


def test_the_comparison_holds_real_molecules_apart_by_its_seed(good, rng) -> None:
    real = sample(good, rng, 300)
    made = real.select(np.arange(100))
    sets = compare(made, real)
    assert [len(part) for part in sets] == [100, 100, 200]
    together = np.concatenate([sets.held.positions, sets.reference.positions])
    assert np.allclose(np.sort(together[:, 0]), np.sort(real.positions[:, 0]))
    assert [len(part) for part in compare(real, real, max_molecules=40)] == [40, 40, 40]
    first, again, other = (geometry_distances(made, real, seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    with pytest.raises(InputError, match="no molecules"):
        geometry_distances([], list(good.values()))
    with pytest.raises(InputError, match="at least two"):
        composition_distances([good["water"]], [good["water"]])


def test_total_variation_is_a_distance_from_nought_to_one(rng) -> None:
    p, q, r = (dict(enumerate(rng.integers(1, 20, 6).tolist())) for _ in range(3))
    assert total_variation(p, p) == 0
    assert total_variation(p, {key: 7 * n for key, n in p.items()}) == pytest.approx(0)
    assert 0 < total_variation(p, q) == pytest.approx(total_variation(q, p))
    assert total_variation(p, r) <= total_variation(p, q) + total_variation(q, r)
    assert total_variation({"a": 3}, {"b": 5}) == 1


def test_molecules_are_counted_by_what_they_are_made_of(good) -> None:
    counts = composition_counts(as_set([good["cyclopropane"], good["ethane"], good["ethane"]]))
    assert counts["formula"] == {(("H", 6), ("C", 3)): 1, (("H", 6), ("C", 2)): 2}
    assert counts["size"] == {9: 1, 8: 2}
    assert counts["element"] == {"H": 18, "C": 7}
    assert counts["bond"] == {1: 23}
    assert counts["rings"] == {1: 1, 0: 2}
    assert counts["ring size"] == {3: 1}


def test_fused_separate_and_far_too_many_rings_are_told_apart() -> None:
    turn = 2 * np.pi * np.arange(6) / 6
    hexagon = 1.45 * np.column_stack([np.cos(turn), np.sin(turn), np.zeros(6)])
    fused = build("C" * 6, 1.5 * np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [2, 0, 0], [2, 1, 0]]))
    apart = build("C" * 12, np.concatenate([hexagon, hexagon + np.array([9.0, 0, 0])]))
    counts = composition_counts(as_set([fused, apart]))
    assert counts["rings"] == {2: 2} and counts["ring size"] == {4: 2, 6: 2}
    collapsed = composition_counts(as_set([Molecule(np.full(200, 6), np.zeros((200, 3)))]))
    assert collapsed["ring size"] == {0: 199 * 200 // 2 - 199}


def test_distances_tell_another_composition(good, rng) -> None:
    molecules = list(good.values())
    real = [molecules[k] for k in rng.integers(0, 8, 600)]
    same, other = ([molecules[k] for k in rng.integers(0, most, 200)] for most in (8, 4))
    near, far = ({item.kind: item for item in composition_distances(made, real)} for made in (same, other))
    assert near["formula"].distance < 3 * near["formula"].floor < far["formula"].distance
    assert far["formula"].distance == pytest.approx(0.5, abs=0.1)
    assert far["ring size"].distance is None and near["ring size"].distance == 0
    assert set(near) == {"formula", "size", "element", "bond", "rings", "ring size"}
