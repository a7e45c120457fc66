"""A negative log-likelihood in the convention of EDM, for the table of published values.

EDM (Hoogeboom et al. 2022, arXiv 2203.17003, section 3.2 and appendix) reports an upper bound on -log p(x, h, N) in
nats: atoms in order, x in Å on the subspace of dimension d = 3(N - 1), the elements h as probabilities, not densities,
and the last decoder p(x | z_0) a Gaussian of width sigma_0 = sqrt(1e-5/(1 - 1e-5)) Å around what z_0 is denoised to.
With z_0 = x + sigma_0 eps and eps^ = -sigma_0 score(z_0), its part for the positions is

    log p(x) >= E[log p(x | z_0) + log p(z_0) - log q(z_0 | x)] = E[log p_sigma_0(z_0)] + d/2 - E|eps - eps^|^2/2

the constants (d/2) ln 2 pi sigma_0^2 of decoder and noise cancelling. Here log p_sigma_0 is the density head's, and so

    NLL = -{log p(N) + log p(formula | N) + sum_k ln n_k! - ln N! + E[log p_sigma_0(z_0)] + d/2 - E|eps - eps^|^2/2}

is an estimate where EDM's is a bound: as good as the density head's normalisation at sigma_0.
"""

import math

import numpy as np
import torch
from scipy.special import gammaln

from molscore.audit.density import groups, noise_of
from molscore.audit.options import Options, chosen
from molscore.audit.record import Cell, Part, Table, Verdict
from molscore.datasets.store import MoleculeSet
from molscore.diffusion.gaussian import degrees_of_freedom
from molscore.screening.admission import element_counts
from molscore.screening.likelihood import log_permutations
from molscore.screening.model import Model

__all__ = ["PUBLISHED", "SIGMA_0", "edm"]

SIGMA_0 = math.sqrt(1e-5 / (1 - 1e-5))  # Å: EDM's schedule polynomial_2 with precision 1e-5, at t = 0
BOUND, EXACT = "an upper bound", "exact but for its dequantisation"
PUBLISHED = (("E-NF", -59.7, EXACT), ("GDM", -94.7, BOUND), ("GDM-aug", -92.5, BOUND), ("EDM", -110.7, BOUND))
CONVENTION = (
    "Nats, ordered atoms (ln N! subtracted), log p(N) included, x in Å on 3(N − 1) dimensions, elements as "
    f"probabilities, decoder noise {SIGMA_0:.4f} Å."
)
DIFFERENCES = (
    "Not the same quantity as the published values: those of diffusion models are variational upper bounds over 1,000 "
    "steps with elements diffused beside positions, and bound from one side; this one takes the density head at its "
    "word, errors of its normalisation included (see that part), and is on this split of the data. Being isolated "
    "minima, QM9 has an NLL without lower bound as the decoder noise falls: values at other noise do not compare."
)


def edm(model: Model, held_out: MoleculeSet, options: Options) -> Part:
    """The estimate on `options.n` held-out molecules, term by term."""
    molecules = chosen(held_out, options.n, options.seed)
    density, kinetic = np.zeros(len(molecules)), np.zeros(len(molecules))
    for group in groups(model, molecules):
        z = noise_of(group.density.mask, group.rows, options.seed, 6).to(group.x)
        with torch.no_grad():
            score, U = group.density.estimate(group.x + SIGMA_0 * z, group.x.new_full((len(z),), SIGMA_0))
        missed = (z + SIGMA_0 * score).double().square().sum((1, 2))
        density[group.rows] = -U.double().cpu().numpy()
        kinetic[group.rows] = ((degrees_of_freedom(group.density.mask) - missed) / 2).cpu().numpy()
    counts = element_counts(list(molecules), model.distribution.elements)
    terms = {
        "log p(N) + log p(formula | N)": model.composition.log_prob(counts),
        "Σ ln n_k! − ln N!": log_permutations(counts) - gammaln(molecules.sizes + 1.0),
        "log p_σ₀(z₀)": density,
        "d/2 − |ε − ε̂|²/2": kinetic,
    }
    nll = -sum(terms.values())
    rows: list[list[Cell]] = [[name, *_mean(values)] for name, values in terms.items()]
    rows.append(["NLL, this model (an estimate)", *_mean(nll)])
    rows += [[f"NLL, {name} ({kind}; Hoogeboom et al. 2022, table 1)", value, None] for name, value, kind in PUBLISHED]
    what = "EDM convention: NLL, nats"
    verdict = Verdict(what, float(nll.mean()), "none", None, "an estimate beside bounds; see the note")
    title = "EDM's convention: what is the negative log-likelihood?"
    note = f"{CONVENTION} {len(molecules)} held-out molecules. {DIFFERENCES}"
    return Part("edm", title, [Table("", ["term", "mean nats", "standard error"], rows)], [verdict], note)


def _mean(values: np.ndarray) -> tuple[float, float]:
    """Mean and standard error."""
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values)))
