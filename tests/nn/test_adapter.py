"""Low-rank adapters and their folder: what they change, what they leave, and what they refuse."""

from dataclasses import replace
from hashlib import sha256

import pytest
import torch

from molscore.errors import CheckpointError
from molscore.nn.adapter import adaptable, learnt, merge
from molscore.nn.checkpoint import Adapter, Checkpoint, from_pretrained, save_pretrained, started_from
from tests import tiny


def inputs():
    """Two molecules of 5 and 4 atoms."""
    torch.manual_seed(3)
    mask = torch.arange(5) < torch.tensor([[5], [4]])
    y = torch.randn(2, 5, 3) * mask[..., None]
    return y, torch.randint(0, 5, (2, 5)) * mask, mask, torch.tensor([0.1, 0.4])


def density(network):
    y, elements, mask, sigma = inputs()
    context = network.context(torch.zeros(2, dtype=torch.long), mask.sum(1))
    return network(y, elements, mask, sigma, context).log_density.detach()


def perturbed(base):
    """What an adaptable network of the base might have learnt."""
    network = adaptable(started_from(base, base.distributions[:1]), rank=2)
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.requires_grad:
                parameter += 0.1 * torch.randn_like(parameter)
    return network


def test_an_adapter_starts_as_the_base_and_merged_it_is_the_same_network_beside_it():
    base = tiny.checkpoint()
    before = density(base.network)
    assert torch.equal(density(adaptable(started_from(base, base.distributions), rank=2)), before)
    network = perturbed(base)
    assert not torch.allclose(density(network), before, atol=1e-3)
    tensors = learnt(network)
    assert torch.equal(density(merge(started_from(base, base.distributions), tensors)), density(network))
    assert torch.equal(density(base.network), before)
    assert sum(value.numel() for value in tensors.values()) < 0.5 * sum(p.numel() for p in base.network.parameters())
    tensors.pop(next(name for name in tensors if name.endswith(".up")))
    with pytest.raises(KeyError):
        merge(started_from(base, base.distributions), tensors)


def test_folder_names_its_base_by_hash(tmp_path):
    folder = save_pretrained(tmp_path / "base", tiny.checkpoint())
    digest = sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    base = from_pretrained(folder)
    network = perturbed(base)
    adapter = Adapter(str(folder), digest, learnt(network))
    made = save_pretrained(tmp_path / "own", Checkpoint(network, base.distributions, {}, {}, adapter))
    found = from_pretrained(made)
    assert torch.equal(density(found.network), density(network))
    assert found.adapter.sha256 == digest

    folder.rename(tmp_path / "moved")
    with pytest.raises(CheckpointError, match="is not there"):
        from_pretrained(made)
    other = tiny.checkpoint()
    with torch.no_grad():
        next(other.network.parameters()).add_(1.0)
    save_pretrained(folder, other)
    with pytest.raises(CheckpointError, match="other weights"):
        from_pretrained(made)


def test_elements_of_a_base_are_kept_where_a_distribution_has_fewer(tmp_path):
    base = tiny.checkpoint()
    d = base.distributions[0]
    fewer = replace(d, elements=("H", "C"), formula_counts={(4, 1): 3}, sigma_N=dict.fromkeys(range(2, 6), 0.5))
    network = started_from(base, [fewer])
    found = from_pretrained(save_pretrained(tmp_path / "own", Checkpoint(network, (fewer,), {}, {})))
    assert found.network.elements == tiny.ELEMENTS
