"""Tests of molscore: laws, each with a control that fails; the folders mirror the package."""
