"""`AddLogLikelihood` writes the judgement into the molecules of a PyG data set, and leaves the rest alone."""

import pickle  # what a data loader does with a transform

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data, InMemoryDataset
from torch_geometric.loader import DataLoader

from molscore import AddLogLikelihood, InputError
from molscore.molecules.pyg import to_pyg
from molscore.screening.scorer import Scorer


@pytest.fixture
def transform(model) -> AddLogLikelihood:
    return AddLogLikelihood(model)


@pytest.fixture
def graphs(library) -> list[Data]:
    found = [to_pyg(molecule, torch.float64) for molecule in library[:6]]
    found[2].z[0] = 17  # chlorine, which the model does not know
    return found


def test_the_numbers_are_those_of_the_scorer_and_the_input_stays(transform, graphs, model) -> None:
    expected = Scorer(model).judge(graphs)
    for row, graph in enumerate(graphs):
        before, found = graph.clone(), transform(graph)
        assert sorted(graph.keys()) == sorted(before.keys())
        assert torch.equal(found.pos, before.pos) and torch.equal(found.z, before.z) and found.name == before.name
        for name in ("log_likelihood", "log_density", "percentile"):
            assert found[name].shape == (1,) and found[name].dtype == torch.float32
            assert np.allclose(found[name], getattr(expected, name)[row], atol=1e-3, equal_nan=True)
        assert found.status == expected.status[row]
    assert [status == "ok" for status in expected.status] == [True, True, False, True, True, True]
    assert transform(Data(x=torch.zeros(3, 2))).status == "bad_input"
    assert transform(Data(z=torch.tensor([6]), pos=None)).status == "bad_positions"


def test_batches_lists_and_copies_in_a_worker_give_the_same(transform, graphs) -> None:
    alone = torch.cat([transform(graph).log_likelihood for graph in graphs])
    batch = transform(Batch.from_data_list(graphs))
    assert batch.num_graphs == len(graphs) and batch.status[2] == "unknown_element"
    many = torch.cat([graph.log_likelihood for graph in transform.many(graph.clone() for graph in graphs)])
    there = torch.cat([pickle.loads(pickle.dumps(transform))(graph).log_likelihood for graph in graphs])
    for found in (batch.log_likelihood, many, there):
        assert torch.allclose(found, alone, atol=1e-3, equal_nan=True)


class Set(InMemoryDataset):
    """A data set as users write them."""

    def __init__(self, root, graphs, **options) -> None:
        self.graphs = graphs
        super().__init__(root, **options)
        self.load(self.processed_paths[0])

    @property
    def processed_file_names(self) -> str:
        return "data.pt"

    def process(self) -> None:
        self.save([self.pre_transform(graph) for graph in self.graphs], self.processed_paths[0])


def test_it_is_a_pre_transform_and_a_transform(transform, graphs, tmp_path) -> None:
    judged = Set(str(tmp_path), graphs, pre_transform=transform)
    assert judged.log_likelihood.shape == (len(graphs),)
    batch = next(iter(DataLoader(judged, batch_size=4)))
    assert torch.allclose(batch.log_likelihood, judged.log_likelihood[:4], equal_nan=True)
    assert batch.status == ["ok", "ok", "unknown_element", "ok"]


def test_it_says_what_it_is_and_what_it_cannot_be(transform, model, folder) -> None:
    assert repr(transform) == "AddLogLikelihood('tiny', resolution=0.05)"
    assert repr(AddLogLikelihood(str(folder), 0.1)) == "AddLogLikelihood('tiny', resolution=0.1)"
    with pytest.raises(InputError, match="not for other"):
        AddLogLikelihood(model, distribution="other")


def test_without_pytorch_geometric_the_error_names_the_extra(monkeypatch) -> None:
    monkeypatch.setattr("molscore.integrations.pyg.BaseTransform", None)
    with pytest.raises(InputError, match=r"molscore-discoformer\[pyg\]"):
        AddLogLikelihood()
