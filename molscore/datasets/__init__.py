"""Where molecules come from: data sets, how they are made and split, distributions and their statistics."""
