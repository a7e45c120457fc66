"""molscore in other people's software: scikit-learn, PyTorch Geometric, REINVENT4, HTTP.

Nothing is imported here: each submodule asks for the software that it is for.
"""
