"""The model as a scikit-learn density estimator: at the end of a pipeline, with parameters to set and samples to draw.

It needs scikit-learn: pip install scikit-learn
"""

import sys

from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from molscore import DensityEstimator

estimator = DensityEstimator(sys.argv[1] if len(sys.argv) > 1 else "qm9", resolution=0.05, steps=20)
library = ["  CCO", "CC(C)=O ", "C1CC", "c1ccccc1"]
pipeline = make_pipeline(FunctionTransformer(lambda X: [text.strip() for text in X]), estimator)
print("log-likelihood, nats:", pipeline.score_samples(library).round(2), "(NaN cannot be judged)")

blurred = estimator.set_params(resolution=0.1)
print("at 0.1 Å:            ", blurred.score_samples(["CCO"]).round(2))
for molecule in estimator.sample(3, random_state=0):
    print(f"drawn: {molecule.formula:10} {molecule.smiles or '-':16} {molecule.verdict}")
