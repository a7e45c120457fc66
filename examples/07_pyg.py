"""A PyTorch Geometric data set whose molecules carry their log-likelihood: to filter by, to weight by, to learn."""

import sys

import torch
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from molscore import AddLogLikelihood
from molscore.molecules.conformers import embed
from molscore.molecules.pyg import to_pyg

transform = AddLogLikelihood(sys.argv[1] if len(sys.argv) > 1 else "qm9", resolution=0.05)
molecules: list[Data] = [to_pyg(embed(smiles)[0]) for smiles in ("CCO", "CC=O", "CO", "CCl", "CC#N")]

print(transform(molecules[0]))  # one molecule; as pre_transform=transform, a whole data set
judged = transform.many(molecules)
batch = next(iter(DataLoader(judged, batch_size=5)))
for status, value in zip(batch.status, batch.log_likelihood.tolist(), strict=True):
    print(f"{status:16} {value:8.2f} nats")

known = [data for data in judged if data.status == "ok"]
weights = torch.softmax(torch.cat([data.log_likelihood for data in known]), 0)
print("weights of those that can be judged:", weights.numpy().round(3))
