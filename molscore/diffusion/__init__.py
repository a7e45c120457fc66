"""Noise levels, samplers, the likelihood of a flow, and densities that are known: functions of `score_fn(y, sigma)`."""

from molscore.diffusion.gaussian import centre, centred_noise, degrees_of_freedom, gaussian_log_density
from molscore.diffusion.levels import noise_levels
from molscore.diffusion.likelihood import divergence, flow_log_density
from molscore.diffusion.metropolis import DensityFn, annealed_metropolis, metropolis_langevin
from molscore.diffusion.mixture import GaussianMixture, SymmetrisedMixture
from molscore.diffusion.rotations import log_rotation_average, random_rotations
from molscore.diffusion.sampling import ScoreFn, annealed_langevin, probability_flow, stochastic_heun

__all__ = [
    "DensityFn",
    "GaussianMixture",
    "ScoreFn",
    "SymmetrisedMixture",
    "annealed_langevin",
    "annealed_metropolis",
    "centre",
    "centred_noise",
    "degrees_of_freedom",
    "divergence",
    "flow_log_density",
    "gaussian_log_density",
    "noise_levels",
    "log_rotation_average",
    "metropolis_langevin",
    "probability_flow",
    "random_rotations",
    "stochastic_heun",
]
