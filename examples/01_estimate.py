"""One pass, two answers: where the density of a molecule rises, and how much of it there is."""

import sys

import molscore

model = molscore.load(sys.argv[1] if len(sys.argv) > 1 else "qm9")
smiles = ["CCO", "CC(C)=O", "c1ccccc1", "OC1CC1"]
estimate = model.estimate(smiles, sigma=0.05)
print("score, 1/Å:", tuple(estimate.score.shape), " log-density, nats:", estimate.log_density.numpy().round(1))

terms = model.terms(smiles)
for text, composition, density, whole in zip(
    smiles, terms.log_composition, terms.log_density, terms.log_likelihood, strict=True
):
    print(f"{text:10} log p(N, formula) {composition:7.2f}   log density {density:7.2f}   log-likelihood {whole:7.2f}")
