"""`DensityEstimator`: a trained model in the clothes of a scikit-learn density estimator."""

from dataclasses import replace
from os import PathLike
from typing import Any
from warnings import warn

import numpy as np
from numpy.typing import NDArray

from molscore.arguments import with_type
from molscore.errors import InputError
from molscore.molecules.convert import is_frame
from molscore.screening.checks import Candidate
from molscore.screening.generate import draw
from molscore.screening.info import DEFAULT
from molscore.screening.model import Model, load
from molscore.screening.predictor import RESOLUTION
from molscore.screening.sample import DENSITY
from molscore.screening.scorer import Results, Scorer

try:
    from sklearn.base import BaseEstimator
except ModuleNotFoundError:  # who does without scikit-learn needs none of what it adds: parameters to set, a repr
    BaseEstimator = object

__all__ = ["DensityEstimator"]


class DensityEstimator(BaseEstimator):
    """Density estimator over molecules, with the interface of `sklearn.neighbors.KernelDensity`.

    It is trained already: `fit` changes nothing and need not be called. X is a sequence of molecules of any kind
    (SMILES, RDKit, PyG, ASE, ours), one column of such, or a DataFrame with a column of SMILES. Mind that
    scikit-learn's "score" is a log-likelihood; the score of this package is its gradient.

    Args:
        model: a `Model`, a bundled model's name or a model folder.
        distribution: one of the model's; None is its first.
        resolution: Å, at which densities are read.
        seed: of the geometries of molecules that have none.
        time_limit: seconds for the geometries of one molecule.
        conformers: of such a molecule, judged as one; see `Scorer`.
        steps: network evaluations for each sample.
        sampler: sde or ode.
    """

    def __init__(
        self,
        model: Model | str | PathLike[str] = DEFAULT,
        *,
        distribution: str | None = None,
        resolution: float = RESOLUTION,
        seed: int = 0,
        time_limit: float = 30.0,
        conformers: int = 1,
        steps: int = 50,
        sampler: str = "sde",
    ) -> None:
        self.model = model
        self.distribution = distribution
        self.resolution = resolution
        self.seed = seed
        self.time_limit = time_limit
        self.conformers = conformers
        self.steps = steps
        self.sampler = sampler

    def fit(self, X: Any = None, y: Any = None) -> "DensityEstimator":
        """Load the model, which `score_samples` and `sample` do as well; X and y are ignored.

        Raises `InputError` for a clone whose resolution was changed, which is how scikit-learn searches over it: the
        sharper density has the higher log-likelihood whatever the molecules, so that none is the best.
        """
        if self.resolution != getattr(self, "_cloned_at", self.resolution):
            raise InputError(
                f"log-likelihoods at {self._cloned_at:g} and {self.resolution:g} Å do not compare: leave resolution "
                "out of the search, and make a DensityEstimator(resolution=…) for another one"
            )
        self._model()
        return self

    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """Log-likelihood of each molecule in nats, (M,); NaN for those that cannot be judged."""
        return self.judge(X).log_likelihood

    def score(self, X: Any, y: Any = None) -> float:
        """Total log-likelihood in nats of the molecules that have one: the sum of `score_samples` without its NaN.

        A warning says how many have none, NaN where none has. Totals compare over the same molecules at one resolution.
        """
        judged = self.judge(X)
        numbers, lacking = judged.log_likelihood, np.isnan(judged.log_likelihood)
        if lacking.any():
            row = int(np.argmax(lacking))
            reason = f"the first is X[{row}]: {judged.error[row]}"
            warn(f"{lacking.sum()} of {len(numbers)} molecules are not in the score; {reason}", stacklevel=2)
        return float("nan") if lacking.all() else float(np.nansum(numbers))

    def judge(self, X: Any) -> Results:
        """All that is said of each molecule: status, log-likelihood, log-density, percentile, size, error."""
        options = (self.resolution, "log_likelihood", self.seed, self.time_limit, self.conformers)
        return Scorer(self._model(), *options).judge(_flat(X))

    def sample(
        self, n_samples: int = 1, random_state: int | np.random.RandomState | np.random.Generator | None = None
    ) -> list[Candidate]:
        """Molecules drawn from the density that `score_samples` reports, as nearly as `steps` allow: none left out.

        None takes the seed from numpy's global generator.
        """
        if isinstance(random_state, (int, np.integer)):
            seed = int(random_state)
        elif isinstance(random_state, np.random.Generator):
            seed = int(random_state.integers(2**31 - 1))
        elif random_state is None or isinstance(random_state, np.random.RandomState):
            seed = int((random_state or np.random).randint(2**31 - 1))
        else:
            raise InputError(f"random_state is a seed, a generator of numpy or None, not {with_type(random_state)}")
        sampling = replace(DENSITY, steps=self.steps, sampler=self.sampler)
        return draw(self._model(), n_samples, seed, sampling, self.resolution)

    def _model(self) -> Model:
        """The model, loaded once for each name and distribution."""
        if isinstance(self.model, Model):
            return load(self.model, self.distribution)
        wanted = (str(self.model), self.distribution)
        if getattr(self, "_loaded_from", None) != wanted:
            self._loaded, self._loaded_from = load(self.model, self.distribution), wanted
        return self._loaded

    def __sklearn_clone__(self) -> "DensityEstimator":
        """A copy shares the model, which nobody changes."""
        clone = type(self)(**self.get_params())
        clone._cloned_at = self.resolution
        return clone

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn may expect: no table of numbers, and no need to fit."""
        tags = super().__sklearn_tags__()
        tags.estimator_type, tags.requires_fit, tags.no_validation = "density_estimator", False, True
        tags.input_tags.one_d_array, tags.input_tags.two_d_array = True, False
        tags.input_tags.string = tags.input_tags.allow_nan = True
        return tags


def _flat(X: Any) -> Any:
    """One column of molecules, as pipelines hand them on, as a sequence; anything else as it is.

    A `ColumnTransformer` calls its columns ``transformer__column``: the column of SMILES is found by what follows.
    """
    if is_frame(X):
        if X.shape[1] == 1:
            return X.iloc[:, 0].tolist()
        return X.rename(columns=lambda name: name.rpartition("__")[2] if isinstance(name, str) else name)
    if isinstance(X, np.ndarray):
        if X.ndim > 1 and X.size != len(X):
            raise InputError(f"X has shape {X.shape}; molecules come as one column")
        return X.reshape(-1).tolist()
    return X
