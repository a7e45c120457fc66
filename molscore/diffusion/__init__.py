"""Noise levels, samplers, the likelihood of a flow, and densities that are known: functions of `score_fn(y, sigma)`."""

from molscore.diffusion.gaussian import centre, centred_noise, degrees_of_freedom, gaussian_log_density
from molscore.diffusion.levels import noise_levels
from molscore.diffusion.likelihood import divergence, flow_log_density
from molscore.diffusion.mixture import GaussianMixture, SymmetrisedMixture
from molscore.diffusion.rotations import log_rotation_average, random_rotations
from molscore.diffusion.sampling import NoiseFn, ScoreFn, dpm_solver, langevin, normal_noise

__all__ = [
    "GaussianMixture",
    "NoiseFn",
    "ScoreFn",
    "SymmetrisedMixture",
    "centre",
    "centred_noise",
    "degrees_of_freedom",
    "divergence",
    "dpm_solver",
    "flow_log_density",
    "gaussian_log_density",
    "langevin",
    "log_rotation_average",
    "noise_levels",
    "normal_noise",
    "random_rotations",
]
