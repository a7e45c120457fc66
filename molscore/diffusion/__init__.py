"""Gaussians of positions, samplers, the likelihood of a flow: functions of `score_fn(y, sigma)`, with torch alone."""
