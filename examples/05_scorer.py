"""Log-likelihoods inside another program: batches in, arrays out, from as many threads as it has. No file is needed."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import molscore

model = molscore.load(sys.argv[1] if len(sys.argv) > 1 else "qm9")
scorer = molscore.Scorer(model, by="log_likelihood")  # it can be pickled too, for processes or a cluster

batches = [["CCO", "C1CC", "CC=O"], ["CO", "ClCCl"], ["C", "not a molecule", "CC#C"]]
with ThreadPoolExecutor(4) as pool:
    for batch, judged in zip(batches, pool.map(scorer.judge, batches), strict=True):
        for smiles, status, value in zip(batch, judged.status, judged.log_likelihood, strict=True):
            print(f"{smiles:16} {status:16} {value:8.2f} nats")
        print(f"{'best of batch':16} {batch[np.nanargmax(judged.log_likelihood)]}")
